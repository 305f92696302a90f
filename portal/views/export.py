"""The history as a file: exactly the requests that the filters in the address find."""

from functools import partial

from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from portal.services.search import exporting, finding
from portal.streams import limit_streams
from portal.views import history
from portal.views.http import SignedInRequest


@require_POST
@limit_streams
def download(request: SignedInRequest, form: str) -> HttpResponseBase:
    """The file, written while it is sent; taking it is recorded. A filter that cannot be read leads to the history."""
    asked = history.read_form(user=request.user, query=request.GET)
    if not asked.is_valid():
        return redirect(f"{reverse('request_list')}?{request.GET.urlencode()}")
    chosen = history.read_filters(user=request.user, values=asked.cleaned_data)
    pieces = exporting.export_rows(
        actor=request.user,
        kind="requests",
        form=form,
        asked=history.read_shown(asked, query=request.GET),
        find=partial(_find, chosen),
        newest_first=asked.cleaned_data["sort"] != "oldest",
    )
    headers = {"Content-Disposition": f'attachment; filename="requests.{form}"'}
    return StreamingHttpResponse(pieces, content_type=exporting.CONTENT_TYPES[form], headers=headers)


def _find(chosen: finding.Filters, part: finding.Slice) -> list[int]:
    return finding.find_requests(filters=chosen, part=part)
