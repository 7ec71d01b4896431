"""Every documented error code of Binance USDⓈ-M with the class that says what it proves.

Source: usds-margined-futures/error-code of 2026-05-28 and the change-log up to 2026-10-23; the
classes are our judgement. core.lifecycle decides what an answer proves; the class is for people,
and an unlisted code proves nothing.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorClass(StrEnum):
    """What kind of no it is."""

    FATAL_REQUEST = "fatal_request"
    FATAL_ACCOUNT = "fatal_account"
    RETRY_SAFE = "retry_safe"
    UNKNOWN = "unknown"
    THROTTLE = "throttle"
    CLOCK = "clock"
    ALREADY_DONE = "already_done"
    DUPLICATE = "duplicate"


# fmt: off
_CODES: dict[ErrorClass, tuple[int, ...]] = {
    # The request itself is wrong: sending it again changes nothing.
    ErrorClass.FATAL_REQUEST: (
        -1013, -1014, -1020, -1023, -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108, -1110,
        -1111, -1113, -1114, -1115, -1116, -1117, -1118, -1119, -1120, -1121, -1122, -1126, -1127,
        -1128, -1130, -1136, -2010, -2016, -2020, -2021, -2022, -2026, -4000, -4001, -4002, -4003,
        -4004, -4005, -4006, -4007, -4008, -4009, -4010, -4011, -4012, -4013, -4014, -4015, -4016,
        -4017, -4018, -4019, -4020, -4021, -4022, -4023, -4024, -4025, -4026, -4028, -4029, -4030,
        -4031, -4032, -4044, -4049, -4053, -4054, -4055, -4058, -4060, -4061, -4062, -4063, -4064,
        -4065, -4066, -4069, -4070, -4071, -4072, -4073, -4074, -4075, -4076, -4077, -4078, -4079,
        -4080, -4081, -4082, -4084, -4085, -4086, -4104, -4105, -4106, -4107, -4114, -4120, -4135,
        -4136, -4137, -4138, -4139, -4140, -4141, -4142, -4144, -4164, -4165, -4183, -4184, -4210,
        -4211, -5024, -5025, -5026, -5029, -5037, -5038, -5039, -5040, -5047,
    ),
    # The key, the account or the position does not allow it.
    ErrorClass.FATAL_ACCOUNT: (
        -1002, -1004, -1005, -1011, -1022, -1099, -1109, -2014, -2015, -2017, -2018, -2019, -2023,
        -2024, -2025, -2027, -2028, -4027, -4033, -4045, -4047, -4048, -4050, -4051, -4056, -4057,
        -4067, -4068, -4087, -4088, -4109, -4118, -4161, -4167, -4168, -4169, -4170, -4172, -4189,
        -4192, -4202, -4203, -4205, -4206, -4208, -4209, -4400, -4401, -4402, -4403, -4531,
    ),
    # Certainly not executed, by the documentation; -1001 and -1016 are read more cautiously.
    ErrorClass.RETRY_SAFE: (
        -1001, -1008, -1016, -1112, -1125, -4131, -5021, -5022, -5041, -5043, 239999,
    ),
    # No verdict: ask what became of it.
    ErrorClass.UNKNOWN: (
        -1000, -1006, -1007, -1010, -2012, -2013, -4083, -4117,
    ),
    # Too many requests or orders: certainly not executed.
    ErrorClass.THROTTLE: (
        -1003, -1015,
    ),
    # Our timestamp was outside the window: certainly not executed.
    ErrorClass.CLOCK: (
        -1021, -5028,
    ),
    # What was asked for is so already, or there is nothing left to do it to.
    ErrorClass.ALREADY_DONE: (
        -2011, -4046, -4052, -4059, -4171, -5027,
    ),
    # A copy with our id is open.
    ErrorClass.DUPLICATE: (
        -4115, -4116,
    ),
}
# fmt: on

CLASS_OF: dict[int, ErrorClass] = {
    code: error_class for error_class, codes in _CODES.items() for code in codes
}
"""Code -> class."""

KNOWN_CODES: frozenset[int] = frozenset(CLASS_OF)
"""The documented codes: any other proves nothing about a placing call."""
