"""Advanced data types and personal data in text columns: detection, validity, details.

https://docs.aws.amazon.com/databrew/latest/dg/projects.adv-data-types.html names the types; how the
service detects them is not published. Phone numbers, ZIP codes, states and domains come from
maintained libraries, the rest are the formats' own rules (check digits included). Functions of one
text; knows no action.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from recipe_runner.errors import RecipeError

# Canonical name to spellings, in lower case without blanks and underscores.
TYPES = {
    "SSN": ("ssn", "socialsecuritynumber"),
    "EMAIL": ("email", "emailaddress"),
    "PHONE": ("phone", "phonenumber"),
    "GENDER": ("gender",),
    "CREDIT_CARD": ("creditcard", "creditcardnumber"),
    "URL": ("url",),
    "IP_ADDRESS": ("ipaddress", "ip"),
    "DATE_TIME": ("datetime", "date"),
    "CURRENCY": ("currency",),
    "ZIP_CODE": ("zipcode", "zip"),
    "COUNTRY": ("country",),
    "REGION": ("region",),
    "STATE": ("state",),
    "CITY": ("city",),
}
PATTERNS = {
    "PHONE": ("AREA_CODE", "TIME_ZONE", "COUNTRY_CODE"),
    "ZIP_CODE": ("TIME_ZONE", "COUNTRY", "STATE", "CITY", "TYPE", "REGION"),
    "DATE_TIME": ("DAY", "MONTH", "MONTH_NAME", "WEEK", "QUARTER", "YEAR"),
    "STATE": ("TIME_ZONE",),
    "CREDIT_CARD": ("LENGTH", "NETWORK"),
    "URL": ("PROTOCOL", "TLD", "DOMAIN"),
}

_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
)
_SSN = re.compile(r"(?!000|666|9\d\d)\d{3}[- ]?(?!00)\d{2}[- ]?(?!0000)\d{4}")
_CURRENCY = re.compile(r"(?:[$€£¥₹]\s?-?\d[\d,.]*|-?\d[\d,.]*\s?(?:[$€£¥₹]|USD|EUR|GBP|JPY|INR))")
_NETWORKS = (
    ("Visa", r"4\d{12}(?:\d{3}){0,2}"),
    ("Mastercard", r"(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"),
    ("American Express", r"3[47]\d{13}"),
    ("Discover", r"6(?:011|5\d{2}|4[4-9]\d)\d{12}"),
    ("Diners Club", r"3(?:0[0-5]|[68]\d)\d{11}"),
    ("JCB", r"(?:2131|1800|35\d{3})\d{11}"),
)


def canonical_type(name: str) -> str | None:
    """Return the canonical advanced data type as recipes spell it; None if there is none."""
    plain = re.sub(r"[\s_-]", "", name).lower()
    return next((kind for kind, spellings in TYPES.items() if plain in spellings), None)


def canonical_pattern(name: str) -> str:
    """Return a detail's name in the spelling of `PATTERNS`."""
    plain = name.strip().upper().replace(" ", "_")
    return {"TIMEZONE": "TIME_ZONE"}.get(plain, plain)


def luhn(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card_network(value: str) -> str | None:
    """Return the network of a valid card number; None for any other text."""
    digits = re.sub(r"[ -]", "", value)
    if not digits.isdigit() or not luhn(digits):
        return None
    return next((name for name, shape in _NETWORKS if re.fullmatch(shape, digits)), None)


def _phone(value: str, region: str = "US") -> Any:
    import phonenumbers

    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


@lru_cache(maxsize=65536)
def _zip(value: str) -> dict[str, str] | None:
    import zipcodes

    plain = value.strip()
    if not re.fullmatch(r"\d{5}(?:-\d{4})?", plain):
        return None
    found = zipcodes.matching(plain[:5])  # type: ignore[no-untyped-call]
    return found[0] if found else None


@lru_cache(maxsize=1024)
def _state(value: str) -> object | None:
    import us

    return us.states.lookup(value.strip()) if value.strip() else None


def _url(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https", "ftp", "s3") and parts.netloc else None


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value.strip())
    except ValueError:
        return False
    return True


# ISO 3166-1 in two and three letters; phone regions that it only reserves (AC, TA, XK) as in CLDR.
_ALPHA_3 = (
    "AC:ASC AD:AND AE:ARE AF:AFG AG:ATG AI:AIA AL:ALB AM:ARM AO:AGO AR:ARG AS:ASM AT:AUT AU:AUS AW:ABW AX:ALA "
    "AZ:AZE BA:BIH BB:BRB BD:BGD BE:BEL BF:BFA BG:BGR BH:BHR BI:BDI BJ:BEN BL:BLM BM:BMU BN:BRN BO:BOL BQ:BES "
    "BR:BRA BS:BHS BT:BTN BW:BWA BY:BLR BZ:BLZ CA:CAN CC:CCK CD:COD CF:CAF CG:COG CH:CHE CI:CIV CK:COK CL:CHL "
    "CM:CMR CN:CHN CO:COL CR:CRI CU:CUB CV:CPV CW:CUW CX:CXR CY:CYP CZ:CZE DE:DEU DJ:DJI DK:DNK DM:DMA DO:DOM "
    "DZ:DZA EC:ECU EE:EST EG:EGY EH:ESH ER:ERI ES:ESP ET:ETH FI:FIN FJ:FJI FK:FLK FM:FSM FO:FRO FR:FRA GA:GAB "
    "GB:GBR GD:GRD GE:GEO GF:GUF GG:GGY GH:GHA GI:GIB GL:GRL GM:GMB GN:GIN GP:GLP GQ:GNQ GR:GRC GT:GTM GU:GUM "
    "GW:GNB GY:GUY HK:HKG HN:HND HR:HRV HT:HTI HU:HUN ID:IDN IE:IRL IL:ISR IM:IMN IN:IND IO:IOT IQ:IRQ IR:IRN "
    "IS:ISL IT:ITA JE:JEY JM:JAM JO:JOR JP:JPN KE:KEN KG:KGZ KH:KHM KI:KIR KM:COM KN:KNA KP:PRK KR:KOR KW:KWT "
    "KY:CYM KZ:KAZ LA:LAO LB:LBN LC:LCA LI:LIE LK:LKA LR:LBR LS:LSO LT:LTU LU:LUX LV:LVA LY:LBY MA:MAR MC:MCO "
    "MD:MDA ME:MNE MF:MAF MG:MDG MH:MHL MK:MKD ML:MLI MM:MMR MN:MNG MO:MAC MP:MNP MQ:MTQ MR:MRT MS:MSR MT:MLT "
    "MU:MUS MV:MDV MW:MWI MX:MEX MY:MYS MZ:MOZ NA:NAM NC:NCL NE:NER NF:NFK NG:NGA NI:NIC NL:NLD NO:NOR NP:NPL "
    "NR:NRU NU:NIU NZ:NZL OM:OMN PA:PAN PE:PER PF:PYF PG:PNG PH:PHL PK:PAK PL:POL PM:SPM PR:PRI PS:PSE PT:PRT "
    "PW:PLW PY:PRY QA:QAT RE:REU RO:ROU RS:SRB RU:RUS RW:RWA SA:SAU SB:SLB SC:SYC SD:SDN SE:SWE SG:SGP SH:SHN "
    "SI:SVN SJ:SJM SK:SVK SL:SLE SM:SMR SN:SEN SO:SOM SR:SUR SS:SSD ST:STP SV:SLV SX:SXM SY:SYR SZ:SWZ TA:TAA "
    "TC:TCA TD:TCD TG:TGO TH:THA TJ:TJK TK:TKL TL:TLS TM:TKM TN:TUN TO:TON TR:TUR TT:TTO TV:TUV TW:TWN TZ:TZA "
    "UA:UKR UG:UGA US:USA UY:URY UZ:UZB VA:VAT VC:VCT VE:VEN VG:VGB VI:VIR VN:VNM VU:VUT WF:WLF WS:WSM XK:XKK "
    "YE:YEM YT:MYT ZA:ZAF ZM:ZMB ZW:ZWE"
)
_OTHER_NAMES = {"united states of america": "US", "great britain": "GB", "uk": "GB"}


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    """Return region codes by every spelling in lower case: two or three letters, English name."""
    from phonenumbers.geodata.locale import LOCALE_DATA

    known = dict(_OTHER_NAMES)
    for pair in _ALPHA_3.split():
        code, long_code = pair.split(":")
        known[code.lower()] = known[long_code.lower()] = code
        names = LOCALE_DATA.get(code, {})
        name = names.get("en", "")
        # `*aa` says that the name is that of the language aa.
        known[(names.get(name[1:], "") if name.startswith("*") else name).lower()] = code
    known.pop("", None)
    return known


def region_code(country: str) -> str | None:
    """Return a country's two-letter code from a code or its English name; None if unknown."""
    return _countries().get(country.strip().lower())


def _is_date(value: str) -> bool:
    from recipe_runner.tables.datatypes import parse_timestamp_text

    return parse_timestamp_text(value) is not None


@lru_cache(maxsize=1)
def _cities() -> frozenset[str]:
    import zipcodes

    return frozenset(entry["city"].lower() for entry in zipcodes.list_all())  # type: ignore[no-untyped-call]


_VALID: dict[str, Callable[[str], bool]] = {
    "SSN": lambda value: _SSN.fullmatch(value.strip()) is not None,
    "EMAIL": lambda value: _EMAIL.fullmatch(value.strip()) is not None and len(value) <= 320,
    "PHONE": lambda value: _phone(value) is not None,
    "GENDER": lambda value: (
        value.strip().lower() in ("m", "f", "male", "female", "man", "woman", "nonbinary", "non-binary", "other")
    ),
    "CREDIT_CARD": lambda value: card_network(value) is not None,
    "URL": lambda value: _url(value) is not None,
    "IP_ADDRESS": _is_ip,
    "DATE_TIME": _is_date,
    "CURRENCY": lambda value: _CURRENCY.fullmatch(value.strip()) is not None,
    "ZIP_CODE": lambda value: _zip(value) is not None,
    "COUNTRY": lambda value: region_code(value) is not None,
    "REGION": lambda value: (
        value.strip().lower()
        in (
            "northeast",
            "midwest",
            "south",
            "west",
            "north america",
            "south america",
            "europe",
            "africa",
            "asia",
            "oceania",
        )
    ),
    "STATE": lambda value: _state(value) is not None,
    "CITY": lambda value: value.strip().lower() in _cities(),
}


def is_valid(kind: str, value: str) -> bool:
    """Whether a text is of an advanced data type (canonical name)."""
    return _VALID[kind](value)


def detail(kind: str, pattern: str, value: str) -> str | None:
    """Return one detail of a text of an advanced data type; None if it is not of that type.

    :param kind: canonical type, a key of PATTERNS.
    :param pattern: one of its details.
    :param value: the text.
    """
    return _DETAILS[kind](pattern, value)


def _phone_detail(pattern: str, value: str) -> str | None:
    import phonenumbers
    from phonenumbers import timezone

    number = _phone(value)
    if number is None:
        return None
    if pattern == "TIME_ZONE":
        zones = timezone.time_zones_for_number(number)
        return None if not zones or zones[0] == "Etc/Unknown" else zones[0]
    if pattern == "COUNTRY_CODE":
        return str(number.country_code)
    national = phonenumbers.national_significant_number(number)
    length = phonenumbers.length_of_geographical_area_code(number)
    return national[:length] if length else None


def _zip_detail(pattern: str, value: str) -> str | None:
    found = _zip(value)
    if found is None:
        return None
    key = {
        "TIME_ZONE": "timezone",
        "COUNTRY": "country",
        "STATE": "state",
        "CITY": "city",
        "TYPE": "zip_code_type",
        "REGION": "world_region",
    }[pattern]
    return found[key] or None


def _date_detail(pattern: str, value: str) -> str | None:
    from recipe_runner.tables.datatypes import parse_timestamp_text

    moment = parse_timestamp_text(value)
    if moment is None:
        return None
    return {
        "DAY": str(moment.day),
        "MONTH": str(moment.month),
        "MONTH_NAME": moment.strftime("%B"),
        "WEEK": str(moment.isocalendar().week),
        "QUARTER": str((moment.month - 1) // 3 + 1),
        "YEAR": str(moment.year),
    }[pattern]


def _state_detail(pattern: str, value: str) -> str | None:
    found = _state(value)
    zones: list[str] = getattr(found, "time_zones", []) if found is not None else []
    return zones[0] if zones else None


def _card_detail(pattern: str, value: str) -> str | None:
    network = card_network(value)
    if network is None:
        return None
    return network if pattern == "NETWORK" else str(len(re.sub(r"[ -]", "", value)))


@lru_cache(maxsize=1)
def _suffixes() -> Callable[[str], object]:
    import tldextract

    # The list that comes with the package: nothing is downloaded.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def _url_detail(pattern: str, value: str) -> str | None:
    parts = _url(value)
    if parts is None:
        return None
    if pattern == "PROTOCOL":
        return parts.scheme
    extracted = _suffixes()(value)
    found: str = extracted.suffix if pattern == "TLD" else extracted.top_domain_under_public_suffix  # type: ignore[attr-defined]
    return found or (parts.hostname if pattern == "DOMAIN" else None) or None


_DETAILS: dict[str, Callable[[str, str], str | None]] = {
    "PHONE": _phone_detail,
    "ZIP_CODE": _zip_detail,
    "DATE_TIME": _date_detail,
    "STATE": _state_detail,
    "CREDIT_CARD": _card_detail,
    "URL": _url_detail,
}

# Personal data inside free text:
# https://docs.aws.amazon.com/databrew/latest/dg/profile.configuration.html (EntityTypes).
_ENTITY_SHAPES: dict[str, str] = {
    "USA_SSN": r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b",
    "EMAIL": r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b",
    "USA_ITIN": r"\b9\d{2}-(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])-\d{4}\b",
    "USA_PASSPORT_NUMBER": r"\b[A-Z]\d{8}\b",
    "PHONE_NUMBER": r"(?<![\w.])(?:\+?1[-. ]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-. ])[2-9]\d{2}[-. "
    r"]?\d{4}(?![\w])|\+\d{7,15}\b",
    "USA_DRIVING_LICENSE": r"\b[A-Z]\d{7}\b",
    "BANK_ACCOUNT": r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b|\b\d{9}[ -]\d{8,17}\b",
    "CREDIT_CARD": r"\b\d(?:[ -]?\d){12,18}\b",
    "IP_ADDRESS": r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b",
    "MAC_ADDRESS": r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b",
    "USA_DEA_NUMBER": r"\b[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}\b",
    "USA_HCPCS_CODE": r"\b[A-V]\d{4}\b",
    "USA_NATIONAL_PROVIDER_IDENTIFIER": r"\b[12]\d{9}\b",
    "USA_NATIONAL_DRUG_CODE": r"\b(?:\d{4}-\d{4}-\d{2}|\d{5}-\d{3}-\d{2}|\d{5}-\d{4}-\d{1,2})\b",
    "USA_HEALTH_INSURANCE_CLAIM_NUMBER": r"\b\d{3}-\d{2}-\d{4}-?[A-Z][0-9A-Z]?\b",
    "USA_MEDICARE_BENEFICIARY_IDENTIFIER": (
        r"\b[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?"
        r"[AC-HJKMNP-RT-Y]{2}\d{2}\b"
    ),
    "USA_CPT_CODE": r"\b\d{4}[0-9FTU]\b",
    "DATE": r"\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}[/-]\d{1,2}[/-]\d{2,4})\b",
}
ENTITY_TYPES = (*_ENTITY_SHAPES, "PERSON_NAME", "USA_ALL")


def entity_shapes(types: Sequence[str]) -> dict[str, str]:
    """Return regular expressions by entity type; USA_ALL is all but PERSON_NAME and DATE.

    :raises RecipeError: a type is unknown, or is PERSON_NAME, which needs a language model.
    """
    for kind in types:
        if kind not in ENTITY_TYPES:
            raise RecipeError(f"there is no entity type {kind!r}; the types are {', '.join(ENTITY_TYPES)}")
    if "PERSON_NAME" in types:
        raise RecipeError(
            "the entity type PERSON_NAME cannot be detected locally: it needs the service's language model"
        )
    return {
        kind: shape
        for kind, shape in _ENTITY_SHAPES.items()
        if kind in types or ("USA_ALL" in types and kind != "DATE")
    }


def entity_pattern(types: list[str]) -> re.Pattern[str]:
    """Return one regular expression for the entity types.

    :raises RecipeError: as `entity_shapes`.
    """
    return re.compile("|".join(f"(?:{shape})" for shape in entity_shapes(types).values()))


def best_type(values: list[str]) -> str | None:
    """Return the most specific advanced data type of at least half of the texts; None if none.

    The share is that of
    https://docs.aws.amazon.com/databrew/latest/dg/projects.adv-data-types.html.
    """
    if not values:
        return None
    for kind in (
        "EMAIL",
        "URL",
        "IP_ADDRESS",
        "CREDIT_CARD",
        "SSN",
        "PHONE",
        "ZIP_CODE",
        "CURRENCY",
        "DATE_TIME",
        "GENDER",
        "STATE",
        "COUNTRY",
        "REGION",
        "CITY",
    ):
        if sum(is_valid(kind, value) for value in values) * 2 >= len(values):
            return kind
    return None
