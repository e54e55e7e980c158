"""Writes tests/fixtures/config/hydra.json: how Hydra parses overrides, composes tests/fixtures/config/conf, expands the
sweeps of `--multirun` and shows parts of configs/ with `--cfg job`.

Versions: hydra-core 1.3.8, omegaconf 2.3.1 (any Python 3.9 or later).
Run from the project folder: python tests/oracles/hydra_config.py
"""

import contextlib
import io
import json
import math
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString, ValueType
from omegaconf import OmegaConf

PROJECT = Path(__file__).resolve().parent.parent.parent
FOLDER = PROJECT / "tests" / "fixtures" / "config"

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

SWEEPS = [
    ["a=1"], ["a=1,2"], ["a= 1 , b c ,'d,e'"], ["a=1,2", "b=x,y,z"], ["a=[1,2],[3]"], ["a={x: 1},{x: 2}", "+b=1,null"],
    ["a=choice(1,2)"], ["a=choice( x , 'y z' , [1,2] )"], ["a=choice(1)"], ["++a=true,false"],
    ["a=range(4)"], ["a=range(1,4)"], ["a=range(1,10,3)"], ["a=range(3,0,-1)"], ["a=range(0,1,0.25)"],
    ["a=range(1.5,4)"], ["a=range(start=1,stop=4)"], ["a=range(1,stop=4,step=2)"],
    ["a=1,2", "a=3"], ["a=1,2", "b=0", "a=3,4"], ["a=${b},1"], ["a=x/y,../z"], ["a=1e-4,3e-4"],
    ["db=mysql,sqlite"], ["db=glob(*)"], ["db=glob(m*)"], ["db=glob([m*,s*],exclude=my*)"], ["server=glob(*,exclude=[small])"],
    # Hydra refuses these.
    ["a=range(x,2)"], ["a=interval(0,1)"], ["a=choice(1,2"], ["a=1,,2"],
]

SHOWN = [
    ([], "kfold"), ([], "mlflow"), (["experiment_name=x"], "output_dir"), (["experiment_name=x"], "checkpoint_dir"),
    (["seed=7"], "seed"), ([], "model.lora.targets"),
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


def swept(overrides):
    """The overrides of each job, with their values parsed."""
    with initialize_config_dir(str(FOLDER / "conf"), version_base="1.3"):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        try:
            jobs = BasicSweeper.split_arguments(parser.parse_overrides(overrides), None)[0]
        except Exception:
            return {"overrides": overrides, "refused": True}
    return {"overrides": overrides, "jobs": [[parsed(text)["value"] for text in job] for job in jobs]}


def shown(overrides, package, resolve):
    """What `--cfg job --package` prints of the project's own configuration, parsed."""
    out = io.StringIO()
    with initialize_config_dir(str(PROJECT / "configs"), version_base="1.3"), contextlib.redirect_stdout(out):
        GlobalHydra.instance().hydra.show_cfg("config", overrides, "job", package, resolve)
    text = out.getvalue()
    header = text.split("\n")[0] if text.startswith("#") else None
    return {"overrides": overrides, "package": package, "resolve": resolve, "header": header, "value": yaml.safe_load(text)}


fixture = {
    "overrides": [parsed(text) for text in OVERRIDES],
    "compositions": [composed(overrides) for overrides in COMPOSITIONS],
    "sweeps": [swept(overrides) for overrides in SWEEPS],
    "shown": [shown(*case, resolve) for case in SHOWN for resolve in (False, True)],
}
parts = [f'"{name}": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]" for name, cases in fixture.items()]
(FOLDER / "hydra.json").write_text("{" + ",\n".join(parts) + "}\n")
