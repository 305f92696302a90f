"""What the portal keeps. Import the package (`from portal import models`) and use `models.Request`."""

from portal.models.account import DATABASE_MOVED, NEW_KEY, Account, Credential, Key
from portal.models.attempt import Attempt, LateResponse
from portal.models.audit_log import LogCheck, Seal, StreamPosition, Tombstone
from portal.models.connection import Connection, Share, Way
from portal.models.database import Database, LostResponse, Restore
from portal.models.event import Change, Event, EventNumber, name_target
from portal.models.ids import MAX_ID, parse_id
from portal.models.lifetime import UNENDING, describe_duration, describe_lifetime, read_lifetime
from portal.models.notice import Notice
from portal.models.notification import Notification
from portal.models.policy import Policy
from portal.models.request import LONGEST_TYPE, TRANSITIONS, Request, check_transition
from portal.models.runtime import CacheEntry, Lease, Limit, Worker
from portal.models.scan import Scan
from portal.models.search import SearchEntry, UnreadableSearch, check_words, fold, read_number, read_words
from portal.models.token import Repetition, Token
from portal.models.usage import DailyCount
from portal.models.user import Session, SignInLink, User, list_time_zones
from portal.models.workspace import Beginning, File, Log, Workspace
from portal.models.workstation import RELEASES_WAIT, Workstation, list_calls_before_listing
from portal.models.workstation_type import WorkstationType, label_type
