"""What a new password has to be: Django's rules, in the portal's words."""

from django.contrib.auth import password_validation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

HELP = gettext_lazy(
    "At least 10 characters; not only digits, not like your name, and not one of those that everybody uses. "
    "Four words in a row are easy to keep and hard to guess."
)


class LongEnough(password_validation.MinimumLengthValidator):
    """A least number of characters."""

    def get_error_message(self) -> str:
        return ngettext(
            "This password is too short: take at least %(least)d character.",
            "This password is too short: take at least %(least)d characters.",
            self.min_length,
        ) % {"least": self.min_length}


class NotLikeTheirName(password_validation.UserAttributeSimilarityValidator):
    """Not what anybody who knows the person would try first."""

    def get_error_message(self) -> str:
        return _("This password is too much like the %(verbose_name)s: anybody could guess it. Take another.")


class NotCommon(password_validation.CommonPasswordValidator):
    """Not in the list of those that are tried first everywhere."""

    def get_error_message(self) -> str:
        return _("Everybody uses this password, so it is the first that is tried. Take another.")


class NotOnlyDigits(password_validation.NumericPasswordValidator):
    """Something beside digits."""

    def get_error_message(self) -> str:
        return _("This password has only digits: take letters too.")
