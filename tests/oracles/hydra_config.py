"""Writes tests/fixtures/config/hydra.json: how Hydra parses overrides and composes tests/fixtures/config/conf.

Versions: hydra-core 1.3.8, omegaconf 2.3.1 (any Python 3.9 or later).
Run from the project folder: python tests/oracles/hydra_config.py
"""

import json
import math
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString, ValueType
from omegaconf import OmegaConf

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "config"

OVERRIDES = [
    "a=1", "a=-1", "a=+1", "a=1_000", "a=01", "a=007", "a=1.", "a=.5", "a=-.5e3", "a=1e-5", "a=1E+5", "a=1_0.2_5",
    "a=1e5x", "a=1.2.3", "a=inf", "a=-inf", "a=nan", "a=NaN", "a=+Inf", "a=infinity",
    "a=true", "a=False", "a=TRUE", "a=truex", "a=yes", "a=null", "a=NULL", "a=nullx", "a=none", "a=",
    "a= 1", "a=1 ", "a= b c ", "a='b c '", 'a="b, c"', "a=''", 'a=""', "a='1'", "a=\"true\"", "a='null'",
    r"a='it\'s'", r'a="say \"hi\""', r"a='a\\'", r"a='a\\\\'", r"a='a\b'", r"a='a\\b'", r"a='x\\\'y'", "a='\"'", "a='a'b",
    r"a=b\,c", r"a=b\ c", r"a=\ b\ ", r"a=\(b\)", r"a=\[b\]\{c\}", r"a=b\=c", r"a=b\:c", r"a=b\\c", r"a=b\c", r"a=\\",
    "a=sqlite:///x.db", "a=file:mlflow-store", "a=http://localhost:5000", "a=/tmp/a-b_c.d/e", "a=../x", "a=C:\\x",
    "a=a:b", "a=a : b", "a=1:30", "a=10:", "a=b@c", "a=b|c", "a=b?", "a=50%", "a=*", "a=-", "a=$x", "a=b+c",
    "a=b=c", "a='b=c'", "a=b,c", "a=1,2", "a=(b)", "a=b(c)", "a=[", "a=]", "a={a:1", "a='b", 'a="b',
    "a=[]", "a=[1,2]", "a=[ 1 , 2 ]", "a=[a,'b c',null,true,1e-3]", "a=[[1],[2,[3]]]", "a=[1,]", "a=[,]", "a=[a b,c]",
    "a={}", "a={b:1}", "a={b: 1, c: 'x'}", "a={ b : {c:[1,2]} }", "a={b:1,}", "a={b}", "a={1:2,null:4}",
    "a={b:c:d}", "a={b.c:1}", "a={'b':1}", "a={a/b: x}", "a={b:1}x", "a=[1]x",
    "a=${b}", "a=${b.c}/d", "a=x${b}y", "a=${oc.env:HOME}", "a=${oc.env:NAME,default value}", "a='${b}, x'", "a=[${b},1]",
    "+a=1", "++a=1", "+a.b.c=[1]", "~a", "~a=1", "~a=", "~a.b=x", "+a", "++a", "a", "", "=1", "+=1", "~",
    "a.b=1", "a.b.c_d-e=1", "a/b=c", "a/b/c=d", "+a/b=c", "~a/b", "a.=1", ".a=1", "a..b=1", "a b=1", "a.0=1", "$a=1",
    "a-b=1", "a[0]=1", "/a=1", "a/=1", "+++a=1", "~+a=1",
]

COMPOSITIONS = [
    [],
    ["db=sqlite"],
    ["db=nodefault"],
    ["server=large"],
    ["server=early"],
    ["server=early", "schema/table=wide"],
    ["server=chooser"],
    ["server=chooser", "db=mysql"],
    ["schema/table=narrow"],
    ["~server"],
    ["~server=small"],
    ["+exp=quick"],
    ["+exp=quick", "db=mysql"],
    ["+exp=quick", "server=small"],
    # Hydra refuses these.
    ["exp=quick"],
    ["db=oracle"],
    ["~server=large"],
    ["~exp"],
]


def plain(value):
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key_text(key): plain(item) for key, item in value.items()}
    return value


def key_text(key):
    """JSON's spelling of keys that are not texts."""
    return key if isinstance(key, str) else json.dumps(key)


def parsed(text):
    try:
        override = OverridesParser.create().parse_override(text)
    except Exception:
        return {"text": text, "refused": True}
    if override.value_type not in (None, ValueType.ELEMENT):
        return {"text": text, "refused": True}  # a sweep: nothing that a single run can use
    result = {"text": text, "kind": override.type.name, "key": override.key_or_group}
    if override.value_type is not None:
        result["value"] = plain(override._value)
    return result


def composed(overrides):
    with initialize_config_dir(str(FOLDER / "conf"), version_base="1.3"):
        try:
            config = compose("config", overrides=overrides)
        except Exception:
            return {"overrides": overrides, "refused": True}
    return {"overrides": overrides, "config": OmegaConf.to_container(config)}


fixture = {
    "overrides": [parsed(text) for text in OVERRIDES],
    "compositions": [composed(overrides) for overrides in COMPOSITIONS],
}
lines = ['{"overrides": [']
lines.append(",\n".join(json.dumps(case) for case in fixture["overrides"]))
lines.append('],\n"compositions": [')
lines.append(",\n".join(json.dumps(case) for case in fixture["compositions"]))
lines.append("]}")
(FOLDER / "hydra.json").write_text("\n".join(lines) + "\n")
