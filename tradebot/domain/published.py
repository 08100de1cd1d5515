"""Keys of CURVE whose secrets everybody has: the two pairs of the test in zmq_curve(7), which many programs and pages copied.

Who lets one of them in lets everybody in, and a secret of them hides nothing, so none is taken wherever a key is read. A secret
is known by the public key that it makes.
"""

from typing import Final

_PUBLIC: Final = frozenset({"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"})


def published(public: str) -> str:
    """What to say of a public key whose secret is published; empty where it is not known to be so."""
    if public not in _PUBLIC:
        return ""
    return "expected a key of your own, found the one of the manual zmq_curve(7), whose secret everybody has"
