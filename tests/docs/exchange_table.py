"""What the exchange offers: the 2021 document's list and today's, and why some of it is not for us.

Sources: the futures documentation of 2021-01-04, and the official SDK of 2026-10 with the pages
its calls are made from.
"""

from __future__ import annotations

ENDPOINTS_2021 = """
DELETE /fapi/v1/allOpenOrders
DELETE /fapi/v1/batchOrders
DELETE /fapi/v1/listenKey
DELETE /fapi/v1/order
GET /fapi/v1/adlQuantile
GET /fapi/v1/aggTrades
GET /fapi/v1/allForceOrders
GET /fapi/v1/allOrders
GET /fapi/v1/commissionRate
GET /fapi/v1/continuousKlines
GET /fapi/v1/depth
GET /fapi/v1/exchangeInfo
GET /fapi/v1/forceOrders
GET /fapi/v1/historicalTrades
GET /fapi/v1/income
GET /fapi/v1/indexInfo
GET /fapi/v1/klines
GET /fapi/v1/leverageBracket
GET /fapi/v1/openInterest
GET /fapi/v1/openOrder
GET /fapi/v1/openOrders
GET /fapi/v1/order
GET /fapi/v1/ping
GET /fapi/v1/positionMargin/history
GET /fapi/v1/positionSide/dual
GET /fapi/v1/premiumIndex
GET /fapi/v1/ticker/24hr
GET /fapi/v1/ticker/bookTicker
GET /fapi/v1/ticker/price
GET /fapi/v1/time
GET /fapi/v1/trades
GET /fapi/v1/userTrades
GET /fapi/v2/account
GET /fapi/v2/balance
GET /fapi/v2/positionRisk
POST /fapi/v1/batchOrders
POST /fapi/v1/countdownCancelAll
POST /fapi/v1/leverage
POST /fapi/v1/listenKey
POST /fapi/v1/marginType
POST /fapi/v1/order
POST /fapi/v1/positionMargin
POST /fapi/v1/positionSide/dual
PUT /fapi/v1/listenKey
"""

ENDPOINTS_SINCE = """
DELETE /fapi/v1/algoOpenOrders
DELETE /fapi/v1/algoOrder
GET /api/v3/ping
GET /api/v3/time
GET /fapi/v1/accountConfig
GET /fapi/v1/algoOrder
GET /fapi/v1/allAlgoOrders
GET /fapi/v1/apiTradingStatus
GET /fapi/v1/assetIndex
GET /fapi/v1/constituents
GET /fapi/v1/convert/exchangeInfo
GET /fapi/v1/convert/orderStatus
GET /fapi/v1/feeBurn
GET /fapi/v1/fundingInfo
GET /fapi/v1/fundingRate
GET /fapi/v1/income/asyn
GET /fapi/v1/income/asyn/id
GET /fapi/v1/indexPriceKlines
GET /fapi/v1/insuranceBalance
GET /fapi/v1/markPriceKlines
GET /fapi/v1/multiAssetsMargin
GET /fapi/v1/openAlgoOrders
GET /fapi/v1/order/asyn
GET /fapi/v1/order/asyn/id
GET /fapi/v1/orderAmendment
GET /fapi/v1/pmAccountInfo
GET /fapi/v1/premiumIndexKlines
GET /fapi/v1/rateLimit/order
GET /fapi/v1/rpiDepth
GET /fapi/v1/symbolAdlRisk
GET /fapi/v1/symbolConfig
GET /fapi/v1/trade/asyn
GET /fapi/v1/trade/asyn/id
GET /fapi/v1/tradingSchedule
GET /fapi/v2/ticker/price
GET /fapi/v3/account
GET /fapi/v3/balance
GET /fapi/v3/positionRisk
GET /futures/data/basis
GET /futures/data/delivery-price
GET /futures/data/globalLongShortAccountRatio
GET /futures/data/openInterestHist
GET /futures/data/takerlongshortRatio
GET /futures/data/topLongShortAccountRatio
GET /futures/data/topLongShortPositionRatio
GET /sapi/v1/account/apiRestrictions
POST /fapi/v1/algoOrder
POST /fapi/v1/convert/acceptQuote
POST /fapi/v1/convert/getQuote
POST /fapi/v1/feeBurn
POST /fapi/v1/multiAssetsMargin
POST /fapi/v1/order/test
POST /fapi/v1/stock/contract
PUT /fapi/v1/batchOrders
PUT /fapi/v1/order
"""

WHY_NOT = {
    "/fapi/v1/allForceOrders": "taken away by the exchange in 2021",
    "/fapi/v1/positionMargin/history": "a record for people; the journal keeps our own changes",
    "/fapi/v1/indexInfo": "composition of an index; no rule asks for it",
    "/fapi/v1/assetIndex": "multi-assets margin only; the account's totals are read instead",
    "/fapi/v1/constituents": "composition of an index; no rule asks for it",
    "/fapi/v1/insuranceBalance": "about the exchange's own fund; no rule asks for it",
    "/fapi/v1/apiTradingStatus": "a judgement on trading habits, for people",
    "/fapi/v1/convert/": "changing one asset into another is no futures order",
    "/fapi/v1/income/asyn": "a download for bookkeeping, for people",
    "/fapi/v1/order/asyn": "a download for bookkeeping, for people",
    "/fapi/v1/trade/asyn": "a download for bookkeeping, for people",
    "/fapi/v1/pmAccountInfo": "portfolio-margin accounts are not supported",
    "/fapi/v1/premiumIndexKlines": "a chart of the premium; no rule asks for it",
    "/fapi/v1/rpiDepth": "retail price improvement: those orders cannot be met over the API",
    "/fapi/v1/symbolAdlRisk": "a coarse word for the queue that adlQuantile tells exactly",
    "/fapi/v1/tradingSchedule": "opening hours of stock-like contracts; the symbol's status tells",
    "/fapi/v1/stock/contract": "signing an agreement is a person's act",
    "/fapi/v1/feeBurn": "paying fees in BNB is a person's choice",
    "/futures/data/": "statistics of other people's positions; no rule asks for them",
}
"""Beginning of a path -> why it is neither used nor served."""

STREAMS = {
    # name, whether the 2021 document has it, a name to try with the paper exchange
    "<symbol>@aggTrade": (True, "btcusdt@aggTrade"),
    "<symbol>@trade": (False, "btcusdt@trade"),
    "<symbol>@markPrice": (True, "btcusdt@markPrice"),
    "<symbol>@markPrice@1s": (True, "btcusdt@markPrice@1s"),
    "!markPrice@arr": (True, "!markPrice@arr"),
    "!markPrice@arr@1s": (True, "!markPrice@arr@1s"),
    "<symbol>@kline_<interval>": (True, "btcusdt@kline_1m"),
    "<pair>_<contractType>@continuousKline_<interval>": (
        True,
        "btcusdt_perpetual@continuousKline_1m",
    ),
    "<symbol>@miniTicker": (True, "btcusdt@miniTicker"),
    "!miniTicker@arr": (True, "!miniTicker@arr"),
    "<symbol>@ticker": (True, "btcusdt@ticker"),
    "!ticker@arr": (True, "!ticker@arr"),
    "<symbol>@bookTicker": (True, "btcusdt@bookTicker"),
    "!bookTicker": (True, "!bookTicker"),
    "<symbol>@forceOrder": (True, "btcusdt@forceOrder"),
    "!forceOrder@arr": (True, "!forceOrder@arr"),
    "<symbol>@depth<levels>": (True, "btcusdt@depth5"),
    "<symbol>@depth": (True, "btcusdt@depth@100ms"),
    "<symbol>@compositeIndex": (True, "defiusdt@compositeIndex"),
    "<symbol>@rpiDepth@500ms": (False, "btcusdt@rpiDepth@500ms"),
    "!contractInfo": (False, "!contractInfo"),
    "!assetIndex@arr": (False, "!assetIndex@arr"),
    "tradingSession": (False, "tradingSession"),
}

WHY_NO_STREAM = {
    "<symbol>@compositeIndex": "composition of an index; no rule asks for it",
    "<symbol>@rpiDepth@500ms": "retail price improvement: those orders cannot be met over the API",
    "!contractInfo": "exchangeInfo is read anew instead, which also tells the filters",
    "!assetIndex@arr": "multi-assets margin only",
    "tradingSession": "opening hours of stock-like contracts",
}

LIVE = {
    # message on an open stream connection: (used, what the runner does with it, or why not)
    "SUBSCRIBE": (True, "streams that a reload asks for, 100 a message, on a connection with room"),
    "UNSUBSCRIBE": (True, "streams that no rule needs any more"),
    "LIST_SUBSCRIPTIONS": (True, "after each change: the exchange's list must have all of ours"),
    "SET_PROPERTY": (False, "the address says already that streams come combined"),
    "GET_PROPERTY": (False, "as SET_PROPERTY"),
}

EVENTS = {
    # name: (in the 2021 document, what the runner does with it)
    "ACCOUNT_UPDATE": (True, "positions and balances"),
    "ORDER_TRADE_UPDATE": (True, "orders, fills, liquidations, ADL, settlements"),
    "MARGIN_CALL": (True, "a position incident that rules can react to"),
    "listenKeyExpired": (False, "a new key and a new connection"),
    "ALGO_UPDATE": (False, "conditional orders"),
    "ACCOUNT_CONFIG_UPDATE": (False, "logged: leverage or multi-assets mode was changed"),
    "TRADE_LITE": (False, "tolerated: ORDER_TRADE_UPDATE tells the same with the fee"),
    "STRATEGY_UPDATE": (False, "tolerated: the runner places no strategies of the exchange"),
    "GRID_UPDATE": (False, "tolerated: the runner places no grids of the exchange"),
    "CONDITIONAL_ORDER_TRIGGER_REJECT": (False, "tolerated: ALGO_UPDATE tells the reason"),
}

WS_METHODS = {
    "order.place": "",
    "order.modify": "",
    "order.cancel": "",
    "order.status": "asked over REST: what became of an order is in doubt when this connection "
    "broke, so that a second way must tell",
    "algoOrder.place": "",
    "algoOrder.cancel": "",
    "session.logon": "every request is signed by itself, with Ed25519 keys too: a session saves "
    "20 to 60 µs of signing, and an unsigned order that meets a connection opened meanwhile would "
    "be refused for good",
    "session.status": "no session is logged on",
    "session.logout": "no session is logged on",
    "account.balance": "readings go over REST",
    "account.position": "readings go over REST",
    "account.status": "readings go over REST",
    "v2/account.balance": "readings go over REST",
    "v2/account.position": "readings go over REST",
    "v2/account.status": "readings go over REST",
    "userDataStream.start": "listen keys go over REST",
    "userDataStream.ping": "listen keys go over REST",
    "userDataStream.stop": "a key is shared by all programs of the account: it is left to end",
    "depth": "readings go over REST",
    "ticker.price": "prices come from streams",
    "ticker.book": "prices come from streams",
    "ping": "WebSocket pings do",
    "time": "the time is read over REST",
}
