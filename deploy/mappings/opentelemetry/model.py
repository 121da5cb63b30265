"""A stand-in for a model provider: OpenAI's chat completions and embeddings, each answer decided by the last message.

    python model.py PORT
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CREATED = 1767607200


def call(number, name, arguments):
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


# What the last message says: the answer, its finish reason, and the tokens of both.
ANSWERS = {
    "Where is my order 4711?": ({"tool_calls": [call(1, "track_order", {"order": 4711})]}, "tool_calls", 820, 24),
    "And 404?": ({"tool_calls": [call(1, "track_order", {"order": 404})]}, "tool_calls", 930, 22),
    "Send me the invoice.": ({"tool_calls": [call(1, "send_invoice", {"invoice": "R-1"})]}, "tool_calls", 310, 18),
    "Is it open on Sunday?": ({"content": "On Sundays it is closed."}, "stop", 120, 9),
    "Tell me a long story.": ({"content": "Once upon a time"}, "length", 60, 4),
    "shipped": ({"content": "It left the warehouse this morning and is with you on Wednesday."}, "stop", 880, 31),
    "no such order": ({"content": "I cannot find an order with that number."}, "stop", 960, 12),
    "sent": ({"content": "The invoice is on its way."}, "stop", 350, 11),
}


def answer(messages):
    last = messages[-1]["content"]
    last = last if isinstance(last, str) else " ".join(part.get("text", "") for part in last)
    return next(found for words, found in ANSWERS.items() if words in last)


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/embeddings"):
            self.reply({"object": "list", "model": asked["model"], "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
                        "usage": {"prompt_tokens": 3, "total_tokens": 3}})
            return
        if "overloaded" in asked["model"]:
            self.reply({"error": {"message": "overloaded", "type": "server_error", "code": None, "param": None}}, 503)
            return
        message, reason, prompt, completion = answer(asked["messages"])
        self.reply({
            "id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": f"{asked['model']}-2026-01-05",
            "choices": [{"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": None, **message}}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
        })

    def reply(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Model).serve_forever()
