/**
 * English words that carry grammar, negation, quantity or degree rather than content: replacing one either breaks the
 * sentence or turns its meaning, and with it the label. Contractions are written with a plain apostrophe.
 */
const LIST = `
a about above across after again against ago ain't all almost already also although always am among an and another any
anybody anyone anything anyway are aren't around as at away back be became because become becomes been before behind
being below beside besides between beyond both but by came can can't cannot come could couldn't did didn't do does
doesn't doing don't done down during each either else enough even ever every everybody everyone everything except far
few first for former from further gave get gets getting give given go goes going gone gonna got gotten had hadn't half
hardly has hasn't have haven't having he he'd he'll he's hence her here here's hers herself him himself his how however
i i'd i'll i'm i've if in indeed instead into is isn't it it'd it'll it's its itself just last least less let let's
like made make makes making many may maybe me mean might mightn't mine more most mostly much must mustn't my myself
near nearly need needn't neither never next no nobody none nonetheless nor not nothing now nowhere of off often on once
one ones only onto or other others otherwise ought our ours ourselves out over own per perhaps please put quite rather
really said same say says see seem seemed seems seen several shall shan't she she'd she'll she's should shouldn't since
so some somebody somehow someone something sometimes somewhat somewhere still such take taken takes than that that'd
that'll that's the their theirs them themselves then there there'd there's therefore these they they'd they'll they're
they've this those though through throughout thus till to together too took toward towards two under unless until up
upon us use used very via want was wasn't way we we'd we'll we're we've well went were weren't what what's whatever
when when's whenever where where's wherever whether which whichever while who who's whoever whole whom whose why will
with within without won't would wouldn't yes yet you you'd you'll you're you've your yours yourself yourselves
`;

export const STOP_WORDS: ReadonlySet<string> = new Set(LIST.trim().split(/\s+/));
