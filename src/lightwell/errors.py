"""What can go wrong, in words a person can act on. Every message says what was met, where, and what to do next."""


class LightwellError(Exception):
    """Anything a user, a publisher or the network can cause. The CLI prints it in one line, without a traceback."""


class DeclarationError(LightwellError):
    """A source declaration, codelist or correction is not valid."""


class FetchError(LightwellError):
    """A document could not be fetched or taken in; the reason is also in the ledger."""


class NotPublishedError(FetchError):
    """The publisher has nothing at this address: not yet, or no longer."""


class ArchiveError(LightwellError):
    """The archive could not be written, or does not hold a document as the ledger says it was stored."""


class StoreError(ArchiveError):
    """The object storage that holds the data home does not answer, or gave back other bytes than it was given."""


class LayoutError(LightwellError):
    """A document is not laid out as its declaration says. The document is quarantined whole, with this as reason."""


class BuildError(LightwellError):
    """A release could not be built or published. The published release is untouched."""


class OvertakenError(BuildError):
    """Another machine published while this release was made. This one is not published."""


class DumpError(LightwellError):
    """A dump of statements is damaged or not as published. Nothing of it is counted."""
