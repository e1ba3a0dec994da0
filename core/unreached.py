"""Why a provider gave no answer that could be used: what the outbound guard and the network say, as an EngineError."""

import aiohttp

from core.outbound import AddressRefused, ResolveFailed, ResponseRefused
from core.outcomes import EngineError, ErrorClass

# All that ``unreached`` has words for.
TROUBLES = (AddressRefused, ResponseRefused, ResolveFailed, TimeoutError, aiohttp.ClientError, OSError)


def unreached(error: BaseException, timeout_s: float) -> EngineError:
    """The one error for ``error``; ``timeout_s`` is the time limit of the request, in seconds."""
    if isinstance(error, AddressRefused):
        return EngineError(ErrorClass.CONFIG, error.message, code="address_refused")
    if isinstance(error, ResponseRefused):
        error_class = ErrorClass.CONFIG if error.code == "redirect" else ErrorClass.OUTPUT
        return EngineError(error_class, error.message, code=error.code)
    if isinstance(error, ResolveFailed):
        return EngineError(ErrorClass.TRANSIENT, "The server's name cannot be resolved.", code="resolve")
    if isinstance(error, TimeoutError):
        return EngineError(ErrorClass.TRANSIENT, f"No answer within {timeout_s:g} seconds.", code="timeout")
    if isinstance(error, aiohttp.ClientSSLError):
        return EngineError(ErrorClass.CONFIG, "The server's certificate is not trusted.", code="tls")
    message = f"The server cannot be reached ({type(error).__name__})."
    return EngineError(ErrorClass.TRANSIENT, message, code="connection")
