"""Failures of a download or of a file, each told apart so that a reader knows what to do next."""

from __future__ import annotations


class FetchError(Exception):
    """A data set could not be fetched, verified or read; the message says why and what to do.

    ``passing`` tells whether the same request may succeed a moment later, which is what decides about a retry.
    """

    passing = False


class WrongChecksum(FetchError):
    """The bytes are not those that the registry describes."""

    def __init__(self, name: str, algorithm: str, expected: str, found: str, remedy: str) -> None:
        super().__init__(f"{name}: wrong checksum: {algorithm} should be {expected}, but is {found}; {remedy}.")
        self.algorithm, self.expected, self.found = algorithm, expected, found


class WrongSize(FetchError):
    """The number of bytes is not the registry's."""

    def __init__(self, name: str, expected: int, found: int, remedy: str) -> None:
        super().__init__(f"{name}: wrong size: {expected} bytes expected, but {found} announced or found; {remedy}.")
        self.expected, self.found = expected, found


class WebPageInstead(FetchError):
    """A web page came where a data file was asked for: a login page, a consent form or an error page."""


class PointerInstead(FetchError):
    """A Git LFS or git-annex pointer came where the content was asked for."""


class NotFound(FetchError):
    """The server has nothing at this address (404 or 410)."""


class AccessRefused(FetchError):
    """The server wants credentials, or refuses those given (401 or 403)."""


class RefusedRedirect(FetchError):
    """The server sends elsewhere in a way that is not followed: a loop, or from https to http."""


class RangeRefused(FetchError):
    """The server has no byte at the offset from which a transfer was to go on (416)."""


class UnexpectedAnswer(FetchError):
    """The server answers with a status that has no meaning for a download."""


class ServerTrouble(FetchError):
    """The server is overloaded or broken (429 or 5xx); it may answer later."""

    passing = True

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TransferCut(FetchError):
    """The connection ended before the file did."""

    passing = True


class Stalled(FetchError):
    """The server keeps the connection and sends nothing, or next to nothing."""

    passing = True


class NoNetwork(FetchError):
    """The server cannot be reached: no network, no such name, or nobody listens."""

    passing = True


class CertificateRefused(FetchError):
    """The server's certificate cannot be verified."""


class DiskFull(FetchError):
    """There is no room for the file."""


class FolderRefused(FetchError):
    """The cache folder cannot be written."""


class Cancelled(FetchError):
    """Another transfer of the same call was interrupted by the user."""


class UnsafeArchive(FetchError):
    """The archive would write outside its folder, holds links or devices, or unpacks to far more than it weighs."""


class UnreadableFile(FetchError):
    """The file is not what its name says, or holds what this reader refuses to interpret."""


class MissingPackage(FetchError):
    """An optional package is needed for this data set or format."""


class NotAtHand(FetchError):
    """The data are not here and cannot be downloaded without the reader's own doing (account, terms, folder)."""


class SeveralFailed(FetchError):
    """More than one file of a call failed; each failure is kept in ``failures``."""

    def __init__(self, failures: list[FetchError], attempted: int) -> None:
        listed = "\n  ".join(in_words(failure) for failure in failures)
        super().__init__(f"{len(failures)} of {attempted} files could not be fetched:\n  {listed}")
        self.failures = failures


def in_words(failure: BaseException) -> str:
    """Return the message of a failure with the notes that were added on its way up."""
    return " ".join([str(failure), *getattr(failure, "__notes__", [])])
