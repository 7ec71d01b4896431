"""What a person can do about each error code of Binance USDⓈ-M, in the words they read it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# One cure and the codes that it helps against; a test holds that every documented code has one.
_CURES: tuple[tuple[str, tuple[int, ...]], ...] = (
    (
        (
            "nothing to do: the exchange gave no verdict, so the runner asks what became of it "
            "before anything is sent again"
        ),
        (-1000, -1001, -1006, -1007, -1010, -1016, -2012, -2013, -4083),
    ),
    (
        "nothing to do: a copy of this order is open, and the runner asks for it",
        (-4115, -4116),
    ),
    ("nothing to do: the order is triggering, and the runner asks for it", (-4117,)),
    (
        (
            "fewer requests: the runner waits as long as the exchange says; if it returns, other "
            "programs use up the limits of this address or account, stop or slow them"
        ),
        (-1003, -1015),
    ),
    ("nothing to do: the exchange is overloaded, and the runner tries again", (-1008,)),
    (
        (
            "nothing to do once: the runner reads the exchange's clock anew and signs again; if it "
            "returns, the connection is too slow or the machine is paused at times"
        ),
        (-1021, -5028),
    ),
    ("allow futures for this key on the exchange's API page", (-1002,)),
    ("look at the key's list of addresses on the exchange's API page", (-1004, -1005, -1011)),
    (
        (
            "check that key and address belong together (live or demo), that the key may trade "
            "futures, and that it allows this machine's address: runner doctor tells which"
        ),
        (-2015, -1099),
    ),
    ("the secret does not belong to the key: copy both again", (-1022,)),
    ("the key's form is wrong: copy it again, without spaces", (-2014, -4056, -4057)),
    ("the exchange has locked this account's keys: unlock them on its site", (-2017,)),
    (
        "add margin, or lower the size: the account cannot carry this order",
        (-2018, -2019, -2028, -4050, -4051, -4169),
    ),
    ("nothing while the account is being liquidated: look at its positions now", (-2023,)),
    (
        (
            "the position is smaller than what the order would close: look at it, and lower the "
            "quantity or use close"
        ),
        (-2022, -2024, -4118),
    ),
    (
        "cancel orders that are not needed: the account has as many open as the exchange allows",
        (-2025, -4045),
    ),
    (
        "lower the leverage or the size: the position would be larger than this leverage allows",
        (-2027,),
    ),
    (
        "write a price or trigger price inside the symbol's limits",
        (-4001, -4002, -4006, -4007, -4013),
    ),
    (
        "write prices as multiples of the symbol's tick size, or leave the rounding to the runner",
        (-4014, -1111),
    ),
    ("write a quantity inside the symbol's limits", (-4003, -4004, -4005)),
    ("write quantities as multiples of the symbol's step size", (-4023,)),
    (
        "the price is further from the mark than the exchange allows: bring it nearer",
        (-4016, -4024, -4131, -4183, -4184, -4210, -4211),
    ),
    (
        (
            "raise the size: the order is worth less than the symbol's least, from which only "
            "reduce_only is exempt"
        ),
        (-4164, -5029),
    ),
    ("the price is past the trigger already: move the trigger, or close at market", (-2021, -4142)),
    ("the other side of the book is empty: use a price, or wait for a market", (-1112, -5041)),
    ("it could not fill whole at once: use ioc or gtc to take what there is", (-5021,)),
    (
        "it would have taken liquidity: move the price away, or leave time_in_force: gtx out",
        (-5022,),
    ),
    ("the symbol is not known: look at its spelling with runner check --online", (-1121, -4144)),
    (
        (
            "the symbol takes no such order now: it is halted, settling or closed; disable the "
            "rule or wait"
        ),
        (-1122, -2016, -4140, -4141, -4084, -5024),
    ),
    (
        (
            "only orders that reduce the position are taken of this symbol: close, or wait "
            "until the exchange lifts it"
        ),
        (-4087, -4105, -4106, -4107, -4189, -4400, -4401),
    ),
    (
        "the exchange has forbidden this account to trade: ask its support why",
        (-4088, -1109, -4192),
    ),
    ("move some USDT into the futures wallet: the account is not active yet", (-4109,)),
    ("the exchange does not offer this in your region", (-4402, -4403)),
    (
        (
            "declare the position mode that the account has, position_mode in runner.yaml: runner "
            "doctor tells it"
        ),
        (-4060, -4061, -4062),
    ),
    (
        "nothing to do: it is so already",
        (-4046, -4052, -4059, -4171, -5027),
    ),
    ("nothing to do: there was nothing left to cancel", (-2011,)),
    (
        "cancel the open orders and close the positions first, then change it",
        (-4047, -4048, -4067, -4068, -4161, -4170),
    ),
    ("close what is open in COIN-M futures too: position mode is one for both", (-4531,)),
    ("margin type isolated and multi-assets mode exclude each other: choose one", (-4167, -4168)),
    ("pay the negative balance of the asset off first", (-4172,)),
    (
        "only an isolated position that is open can take margin: look at the position",
        (-4049, -4053, -4054),
    ),
    ("write an amount above 0", (-4055,)),
    (
        "set a leverage that the exchange allows for this symbol and account",
        (-4028, -4202, -4203, -4205, -4206, -4208, -4209),
    ),
    ("change it less often: one order takes fewer than 10,000 changes", (-5026,)),
    ("nothing to do: a change of this order is under way, and the runner tries again", (-5043,)),
    ("only limit orders can be changed: cancel it and place another", (-5025,)),
    ("the order that was to be changed is not reduce-only: cancel it and place another", (-5047,)),
    ("write good_till between 10 minutes and a year from now", (-5040,)),
    ("price_match fits limit, stop and take_profit only, and no price beside it", (-5037, -5038)),
    ("self_trade_prevention is expire_taker, expire_maker or expire_both", (-5039,)),
    ("the callback or activation price of the trailing stop is outside the limits", (-4135,)),
    (
        "this order type does not go with reduce_only or close_position: use another",
        (-2026, -4020, -4136, -4137, -4138),
    ),
    ("a market order is not taken while nothing can be cancelled: use a limit order", (-4139,)),
    (
        "the order type, side or time in force is not taken for this symbol",
        (-1014, -1114, -1115, -1116, -1117, -2010, -2020),
    ),
    ("wait: the exchange is under maintenance; its status page says how long", (239999,)),
    ("nothing to do: the user stream gets a new key by itself", (-1125,)),
    (
        (
            "conditional orders go to the algo service: this runner is older than the exchange's "
            "rules, update it"
        ),
        (-4120,),
    ),
    (
        "the exchange's own set-up of the symbol is wrong: disable its rules and tell the exchange",
        (
            -4008,
            -4009,
            -4010,
            -4011,
            -4012,
            -4017,
            -4018,
            -4019,
            -4025,
            -4026,
            -4029,
            -4030,
            -4033,
            -4058,
            -4085,
            -4086,
        ),
    ),
    (
        (
            "this is about options or transfers, for which the runner never asks: check that the "
            "address is Binance USDⓈ-M futures"
        ),
        (
            -1108,
            -1110,
            -1113,
            -1126,
            -4044,
            -4063,
            -4064,
            -4065,
            -4066,
            -4069,
            -4070,
            -4071,
            -4072,
            -4073,
            -4074,
            -4075,
            -4076,
            -4077,
            -4078,
            -4079,
            -4080,
            -4081,
            -4104,
            -4114,
            -4027,
        ),
    ),
    (
        (
            "the exchange does not understand the request: keep what runner explain shows for the "
            "run and report it as a mistake of the runner"
        ),
        (
            -1013,
            -1020,
            -1023,
            -1100,
            -1101,
            -1102,
            -1103,
            -1104,
            -1105,
            -1106,
            -1118,
            -1119,
            -1120,
            -1127,
            -1128,
            -1130,
            -1136,
            -4000,
            -4015,
            -4021,
            -4022,
            -4031,
            -4032,
            -4082,
            -4165,
        ),
    ),
)

CURE_OF: Mapping[int, str] = {code: cure for cure, codes in _CURES for code in codes}
"""Code -> what to do, a part of a sentence without a full stop."""

UNLISTED = (
    "this code is in no list of the exchange: the runner takes nothing for granted and asks what "
    "became of the order"
)


def cure(code: int) -> str:
    """What a person can do about this code."""
    return CURE_OF.get(code, UNLISTED)


AT_START: Final[Mapping[int, str]] = {
    -2014: "the key's form is wrong: copy it again",
    -2015: "check that the key belongs to this environment (live or demo), may trade futures, "
    "and allows this machine's address",
    -1022: "the secret does not belong to the key: copy both again",
    -1021: "this machine's clock or connection is too unsteady: try again",
    -1002: "the key may not do this: allow futures for it",
}
"""What to do about an error that a start met."""
