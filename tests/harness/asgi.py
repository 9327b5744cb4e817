"""What stands between httpx and an app that is called without a server."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def in_one_piece(app: ASGIApp) -> ASGIApp:
    """Hands a body on as a server does when it has all of it; httpx tells that it ends in a message of its own."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        async def joined() -> Message:
            message = await receive()
            while message.get("more_body"):
                more = await receive()
                message = {**more, "body": message["body"] + more.get("body", b"")}
            return message

        await app(scope, joined, send)

    return called
