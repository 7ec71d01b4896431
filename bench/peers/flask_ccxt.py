"""Flask and ccxt with its rate limiter off, five orders one by one, nothing written down.

python flask_ccxt.py EXCHANGE_URL PORT
"""

from __future__ import annotations

import sys

import ccxt
from flask import Flask, jsonify, request

URL, PORT = sys.argv[1], int(sys.argv[2])
app = Flask(__name__)
venue = ccxt.binanceusdm(
    {
        "apiKey": "bench-peer-key",
        "secret": "bench-secret",
        "enableRateLimit": False,
        "options": {"fetchCurrencies": False, "fetchMargins": False},
    }
)
for name in venue.urls["api"]:
    version = name.removeprefix("fapiPublic").removeprefix("fapiPrivate").lower() or "v1"
    if name.startswith("fapi"):
        venue.urls["api"][name] = f"{URL}/fapi/{version}"


@app.post("/hook")
def hook():
    """An alert."""
    if request.get_json()["secret"] != "bench-alert-secret":
        return jsonify(error="no"), 404
    for _ in range(5):
        venue.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 69000, {"timeInForce": "IOC"})
    return jsonify(outcome="fired")


if __name__ == "__main__":
    venue.load_markets()
    app.run(port=PORT, threaded=True)
