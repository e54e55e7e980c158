// LayerNorm's, f32 [COLUMNS]. UNIFORM_WEIGHT: software adapters read uniforms ten times as fast as storage.
//#if UNIFORM_WEIGHT
//#tensor weight uniform COLUMNS in COLUMNS
//#tensor bias uniform COLUMNS in COLUMNS
//#else
//#tensor weight read COLUMNS
//#tensor bias read COLUMNS
//#end
