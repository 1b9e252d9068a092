"""Signs of crisis in a prompt: words that say that the writer, or someone with them, is in danger of life.

A list of phrases in fifteen languages, no model and no diagnosis, and no substitute for one. What it finds it can show; what it does not
find may still be there. See `signs_of_crisis` for what decides and for the limits.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from wager.grading.material import material

__all__ = ["LONGEST", "signs_of_crisis"]

LONGEST = 200
"""Most characters of the prompt that are given back as the sign."""

_BEFORE = 300
"""Characters before a sign that can excuse it: a request for a story often stands a sentence ahead."""
_AFTER = 120
"""Characters after a sign that can excuse it."""


@dataclass(frozen=True, kw_only=True)
class _Phrases:
    """What counts as a sign in one language, as regular expressions over the folded text; a space stands for any short white space."""

    stems: str
    """Words apart by ``|``; without any of them in the text the language is passed over. Only for speed."""
    plain: tuple[str, ...]
    """The writer's own intent or act, or violence against them. Laughing it off does not undo it."""
    loose: tuple[str, ...] = ()
    """Said in despair, and in jest as well: a laugh or a trifle as the cause excuses it."""
    others: tuple[str, ...] = ()
    """Somebody near the writer. A request for fiction excuses it."""


# English, apostrophes left out as `_fold` leaves them out: "i'm" is "im", "don't" is "dont".
_VERY = (
    r"(?: (?:really|just|so|honestly|actually|truly|literally|seriously|kinda|kind of|also|only|still|often|always|sometimes|even"
    r"|constantly|seriously|now|fucking|do|secretly|desperately|simply|already|badly|probably|definitely|finally))"
)
_DO = (
    r"(?:kill my ?self|kms|unalive my ?self|end my (?:own )?life(?! (?:insurance|story|savings|membership))|end it all"
    r"|take my (?:own )?life|commit suicide|do suicide|overdose|hang my ?self(?! up)|shoot my ?self(?! in the (?:foot|leg))"
    r"|drown my ?self(?! in)|stab my ?self|(?:slit|cut) my (?:wrists?|throat|veins)|(?:hurt|harm) my ?self|cut my ?self(?! (?:a|an"
    r"|some|off|out|loose|another|short|in|free|from)\b)|self ?-?harm|jump (?:off|from) (?:a|the|this|my) (?:\w+ )?(?:bridge|building"
    r"|roof|balcony|cliff|ledge|window)|jump in front of (?:a|the) (?:train|bus|truck|car))\b"
)
_DOING = (
    r"(?:killing my ?self|ending my (?:own )?life|ending it all|taking my (?:own )?life|committing suicide|suicide|dying|overdosing"
    r"|hanging my ?self|self ?-?harm(?:ing)?|(?:hurting|harming|cutting|shooting|drowning) my ?self|slitting my wrists)\b"
)
_DIE = (
    r"(?:die\b(?![-])(?! (?:laughing|of |from (?:laugh|cring|embarr|bored)|on (?:this|that|the) hill|hard\b|at home|in my own bed"
    r"|with dignity|for (?:this|that|it|my country)|a (?:hero|happy|natural)|historic|without (?:having )?(?:seeing|visiting)"
    r"|in a hospice))|be dead\b(?! last| certain| sure)|not be alive|not exist|never wake up|not wake up|(?:go to sleep|fall asleep"
    r"|disappear|vanish) and (?:never|not) wake up|disappear (?:forever|for good))"
)
_WILL = (
    r"(?:want to|wanna|need to|plan to|intend to|decided to|would like to|am going to|going to|gonna|am gonna|am about to|about to"
    r"|will|shall|am ready to|might|feel like i (?:should|will|might|want to)|have to|wish to|tried to|am trying to|am planning to"
    r"|plan on|long to)"
)
_I = r"\b(?:i|im|ill|id|ive)"
_KIN = (
    r"(?:my (?:\w+ ){0,2}(?:husband|wife|partner|boyfriend|girlfriend|bf|gf|ex|exs?-?husband|father|dad|daddy|stepdad|stepfather"
    r"|mother|mum|mom|stepmother|brother|uncle|grandpa|cousin|son|daughter|roommate|flatmate|guy|fiance|coach|teacher)|he|she|hes|shes"
    r"|they|someone|a man)"
)
_NEAR = (
    r"\bmy (?:\w+ ){0,3}(?:friend|bff|best friend|mate|(?:step ?-?)?sister|brother|mum|mom|mother|dad|father|(?:step ?-?|grand)?(?:son"
    r"|daughter|child)|kid|teen|wife|husband|partner|girlfriend|boyfriend|gf|bf|ex|cousin|roommate|flatmate|colleague|coworker|student"
    r"|pupil|neighbou?r|niece|nephew|aunt|uncle|grandson|granddaughter|fiancee?)s?\b"
)
_SELVES = r"(?:himself|herself|themself|themselves)"
_SHE_DOES = (
    rf"(?:(?:kill|hang|harm|hurt|shoot|drown|unalive|cut) {_SELVES}|(?:end|take) (?:his|her|their) (?:own )?life|end it all"
    rf"|commit suicide|jump off|overdose|die\b(?! of| for| at home)|not live any ?more)"
)

_STOPS = r"(?=\s{0,3}(?:[.!?;\n]|$))"
_ENDED = r"(?! (?:here|in|on|as|before|to|from|at|of|for|with|until|till|about|today in)\b)"
_PILLS = (
    r"(?:pills?|tablets?|meds|sleeping pills|painkillers|antidepressants|paracetamol|acetaminophen|tylenol|ibuprofen|aspirin|xanax|benadryl"
    r"|insulin|oxycodone|fentanyl|melatonin|valium|zolpidem|ambien|codeine)"
)
_DESPAIR = (
    r"\b(?:hopeless|worthless|depress\w*|lonely|alone|empty|numb|crying|miserable|hate my ?self|hate my life|a burden|broken inside"
    r"|nobody cares|no one cares|cant cope|cant take (?:it|this)|so tired of (?:it all|everything|life))\b"
)
_NO_REASON = (
    r"(?:(?:dont|cant|do not|can not|cannot|no longer|isnt|is not) (?:see |have |find |feel |really see )?(?:a|any|the|much)"
    r"|no) (?:more |other "
    r"|real |good )?(?:reason|point)"
)

_PHRASES: Mapping[str, _Phrases] = {
    "en": _Phrases(
        stems="kill|kms|unalive|die|dying|dead|suicid|life|to live|living|alive|wake up|myself|my self|harm|overdos|pills|tablets"
        "|bottle|wrist|better off|end it|exist|noose|gun|knife|jump|never been born|never born|hit|beat|chok|strangl|rap|abus|molest"
        "|hurt|hang|cut|shoot|drown|slit|gone|ending (?:it|thing|every)|danger|not safe|hiding|stab|punch|kick|touch|good ?bye|farewell"
        "|swallow|painless|keep going|going on|go on|carry",
        plain=(
            rf"{_I}{_VERY}{{0,3}} {_WILL}{_VERY}{{0,2}} {_DO}",
            rf"\b(?:ill|im){_VERY}{{0,2}} {_DO}",
            rf"{_I}{_VERY}{{0,3}} (?:am |have |been |be |keep |cant |stop |started |start |feel |like |close |to |starting |had "
            rf"|was ){{0,4}}(?:think about|thinking about|thinking of|thoughts? (?:about|of)|considering|considered|contemplating"
            rf"|fantasi[sz]ing about|planning|urges? to|dreaming of|like|close to|scared of){_VERY}{{0,2}} (?!(?:suicide|dying"
            rf"|overdosing) (?:squad|prevention|note in|rates?|door|burn|to|in (?:literature|film|a))){_DOING}(?! (?:my|the) hair)",
            r"\b(?:thoughts of|thinking about|thinking of|urge to|wanting to) (?:just )?(?:kill(?:ing)? my ?self|end(?:ing)? my life"
            r"|end(?:ing)? it all)",
            rf"{_I}{_VERY}{{0,2}} (?:am |have been |was |feel |feeling |felt |get |been |very |extremely |so |a bit |and "
            rf"|depressed ){{0,4}}suicidal\b(?! squad)",
            r"\b(?:im|i am|i feel|i have|ive|my|having|had|have|with|these|get|getting) (?:\w+ ){0,2}suicidal (?:thoughts|ideation"
            r"|feelings|again|tonight)",
            rf"{_I} (?:dont|do not|didnt|no longer){_VERY}{{0,2}} (?:want|wanna|wish|care)(?: to)? (?:live|be alive|exist|keep living"
            rf"|go on living|wake up)"
            r"(?: (?:any ?more|any longer|another day|tomorrow|like this|at all))?(?! (?:in|with|at|on|near|off|together|alone|next|by"
            r"|here|there|to|under|close|for|without|so|where|early|up|before|again with|as|outside|inside)\b)",
            rf"{_I} (?:dont|do not){_VERY}{{0,2}} (?:want to|wanna) be (?:here|on this (?:planet|earth)|in this world)(?: any ?more"
            rf"| any longer)",
            rf"{_I}{_VERY}{{0,2}} (?:(?:want|need|got|have) to |cant )?(?:kill(?:ing)? my ?self"
            rf"|end(?:ing)? my (?:own )?life) (?:tonight|today|tomorrow|now|soon|this)",
            r"\b(?:how|where|when) (?:do|can|could|should|would) i{_V} (?:best |quickly |painlessly |just )?(?:kill my ?self"
            r"|end my (?:own )?life|hang my ?self"
            r"|commit suicide|end it all|die (?:painlessly|quickly|without pain))".replace("{_V}", f"{_VERY}{{0,2}}"),
            r"\b(?:way|ways|how|pills|enough|dose|method|methods|courage|guts|reasons? not|excuse|allowed) to (?:just |painlessly "
            r"|quickly |successfully )?(?:kill my ?self|end my (?:own )?life|hang my ?self|take my own life|end it all)",
            r"\b(?:why should|why shouldnt|should|if|before|until|unless|that|because|when) i (?:just |dont |do |did |didnt "
            r"|don t )?(?:kill my ?self|end my (?:own )?life)",
            rf"{_I}{_VERY}{{0,2}} (?:am |have |just ){{0,2}}(?:took|taken|swallowed|downed|had) (?:\w+ ){{0,2}}"
            r"(?:all (?:of )?(?:my|the|his|her)|(?:a|the) (?:whole|entire|full) (?:bottle|pack|packet|box|strip)|too many|a lot of"
            r"|an? overdose|a bottle|a handful of|(?:[2-9]\d|1\d\d)) (?:of )?(?:\w+ ){0,3}(?:pills?|tablets?|meds|medication"
            r"|paracetamol|tylenol|sleeping|painkillers|antidepressants|xanax|ibuprofen|on purpose)",
            rf"{_I}{_VERY}{{0,2}} (?:have |think i |did |took |taken |just ){{0,3}}(?:overdosed|an overdose|od ?ed)\b(?! on (?:netflix"
            rf"|chocolate|sugar|coffee|christmas))",
            rf"{_I}{_VERY}{{0,2}} (?:have |am |been |started |keep |just ){{0,4}}(?:cut|cutting|slit|burn|burning|hurting"
            rf"|harming) (?:my (?:wrists?|arms?|thighs?|legs?|veins)"
            r" (?:again|open|tonight|to|because|every|with a (?:razor|blade)|deep|on purpose)|my ?self (?:again|on purpose|every"
            r"|to feel|because|so|almost|since|for years|at night|when))",
            rf"{_I}{_VERY}{{0,2}} (?:am |have |been |started |keep |just |also |cant |stop ){{0,4}}(?:cutting|harming|hurting) my ?self",
            rf"{_I}{_VERY}{{0,2}} (?:am |have |been |started |keep |last ){{0,3}}self ?-?harm(?:ed|ing)?\b",
            r"\b(?:urges?|want|need|help but|wanting|tempted|going) (?:to )?self ?-?harm\b",
            r"\b(?:when|unless|until|after|because|only if|or) i (?:cut|hurt|harm|burn) my ?self(?! (?:at|playing|running|in|on|while"
            r"|doing|with|lifting|last|cooking|shaving|falling|by)\b)",
            r"\b(?:dont|cant|not|bring my ?self to|no longer) (?:even |really )?care (?:if|whether) i (?:live|die|wake up)\b",
            r"\b(?:way|ways) to (?:kill|hang) your ?self[^.!?\n]{0,20}\b(?:i|im|ive|me)\b",
            r"\b(?:pray|praying|hope|hoping|wish) (?:that )?i (?:dont|never|wont|do not) (?:ever )?wake up",
            r"(?<!has\s)(?<!had\s)\bbeen (?:\w+ )?thinking (?:a lot )?(?:about|of) (?:suicide|dying)\b(?! (?:squad|prevention|rates?|my))",
            r"\b(?:if|when|after|once) i (?:killed my ?self|ended my life|ended it all|took my own life)",
            rf"{_I}{_VERY}{{0,2}} (?:am )?planning (?:to|on) {_DO}",
            rf"{_I}{_VERY}{{0,2}} (?:have |got |made |had |have got |have made )(?:a|my|the) (?:\w+ )?plan (?:to {_DO}|for {_DOING})"
            rf"|\bmy plan is to {_DO}",
            rf"\bhow (?:many|much) (?:\w+ ){{0,4}}{_PILLS}(?: (?:\w+ ){{0,2}}?(?:would|does|do|will|should|must|can|could))? (?:it |i |you "
            r"|one |someone |a person )?(?:have to |need to |need |take |have |swallow ){1,3}(?:for me |for someone )?to (?:die|overdose"
            r"|kill my ?self|end (?:it|my life)|not wake up|never wake up)\b",
            r"\b(?:man|guy|someone|somebody|burglar|intruder) in (?:my|our|the) (?:house|home|flat|apartment|room) with a (?:gun|knife"
            r"|axe|machete)",
            rf"{_I} (?:have |got |ve |am holding |have got |bought |am sitting here with ){{1,2}}(?:a |the |my "
            rf"|his ){{0,2}}(?:\w+ )?(?:gun|rope|noose|knife|pills|razor|blade)"
            r" (?:in (?:front of me|my hands?|my mouth)|next to me|ready|to my (?:head|throat|wrist)|and i (?:want|am going|will"
            r"|dont want))",
            r"\b(?:gun|knife|blade|razor|pistol) (?:is )?(?:to|at|against|on) my (?:head|throat|wrists?|temple|neck)",
            r"\b(?:wrote|writing|written|finished|left) (?:\w+ )?(?:my|a) (?:\w+ )?suicide (?:note|letter)(?! (?:in|for) (?:my|a"
            r"|the) (?:novel|book|story|play|film|character))",
            rf"{_I} (?:am |m )?(?:standing|sitting|up) (?:\w+ )?(?:on|at) (?:a|the|this|my) (?:\w+ )?(?:bridge|ledge|roof|balcony"
            rf"|tracks)[^.!?\n]{{0,40}}\bjump",
            rf"{_I} (?:wont|will not) be (?:alive|around any ?more) (?:tomorrow|much longer|by|next|after)",
            # violence at this moment, abuse that goes on
            rf"\b{_KIN} (?:is |was |just |keeps? |has been |have been |started |are ){{0,2}}(?:hitting|beating|choking|strangling"
            rf"|raping|molesting|abusing|punching|kicking"
            r"|stabbing|attacking|threatening) (?:me\b|us\b|my (?:\w+ )?(?:mum|mom|mother|sister|brother|kids?|son|daughter"
            r"|child(?:ren)?|baby)\b)(?! (?:at|in|to|by|on (?:the )?(?:leaderboard|price)|with (?:a )?(?:question|fact|work|email))\b)",
            rf"\b{_KIN} (?:always |still |often |sometimes |regularly |usually |even |physically |sexually |then ){{0,2}}(?:hits"
            rf"|chokes|strangles|rapes|molests|abuses|punches|kicks|beats)"
            r" (?:me|us)\b(?! (?:at|in|to|by|as|out|off|under|with (?:a )?(?:question|fact)|every (?:game|match|race)|that|how|why"
            r"|up (?:for|about) (?:a )?coffee)\b)",
            rf"\b{_KIN} (?:just |has |have |had |tried to |almost |nearly ){{0,2}}(?:hit|beat|choked?|strangled?|raped?|punched|kicked"
            rf"|stab(?:bed)?|molested) (?:me|us)"
            r"(?: up)? (?:again|tonight|last night|today|just now|this morning|yesterday|and (?:i am|im|he|she|now|wont)|with (?:a|his"
            r"|her) (?:belt|knife|bottle|fists?))",
            rf"\b{_KIN} (?:always |often |sometimes |keeps? |still |is ){{0,2}}touch(?:es|ing) me (?:at night|there|when|where"
            rf"|down there|in my|sexually|inappropriately|and (?:i|tells))",
            rf"\b{_KIN} (?:is |just |has |have |always |keeps? |again ){{0,2}}(?:threatens|threatened|threatening|trying|tried|swore"
            rf"|says he will|says she will|says hell|says shes going"
            r"|says hes going|said he would|said hed|said he will|told me he would|told me hed) (?:to )?(?:\w+ )?(?:kill|murder|stab"
            r"|shoot|strangle|drown) (?:me|us|my (?:\w+ )?(?:kids?|mum|mom|mother|sister|children|baby))",
            r"\b(?:afraid|scared|terrified|fear|worried|sure|know|convinced)(?: that)? (?:he|she|they|my (?:husband|boyfriend|ex"
            r"|partner|dad|father|stepdad|wife))(?:ll|s| will| is| are| might| would)?(?: going to| gonna| really)? (?:kill|stab|shoot"
            r"|murder)s? (?:me\b|us\b|my kids)(?! (?:if|when) (?:i|she sees|he sees) (?:forget|miss|dont finish|the bill))",
            r"\b(?:he|she|husband|dad|boyfriend|ex|man|someone|father|stepdad)(?:s| has| has got| is)? (?:at (?:the|my) door with "
            r"|coming at me with |chasing me with |here with |outside with |got )?a (?:gun|knife|axe|machete) (?:and|to|on|in (?:my"
            r"|our) (?:house|home|flat)|at me|right now|pointed)[^.!?\n]{0,40}\b(?:me|us|my|help|call|kill|hiding|scared)",
            r"\b(?:im|i am|we are|were) (?:\w+ )?hiding (?:in|under|behind|from) [^.!?\n]{0,50}\b(?:he|she|him|them|husband|dad|father"
            r"|boyfriend|shooter|gun|knife|intruder|stepdad|ex)\b",
            r"\b(?:im|i am|we are) (?:being|getting) (?:\w+ )?(?:beaten|raped|abused|molested|strangled|stabbed|held (?:captive"
            r"|against my will|hostage)|trafficked|attacked)(?! (?:by|with) (?:mosquitoes|bots|spam))",
            r"\b(?:i am|im|we are) (?:in danger|not safe|unsafe) (?:at home|right now|with him|here with|tonight"
            r"|in my (?:own )?(?:home|house))",
            rf"{_I}(?: am)? (?:going to|gonna|about to) (?:kill|stab|shoot) (?:him|her|them|my (?:wife|husband|kids|family|father|dad"
            rf"|mother|boss|ex))"
            r"(?: and (?:then )?my ?self| and i (?:mean it|have a)| with (?:a|this|the|my) (?:knife|gun|axe)| tonight| right now)",
        ),
        loose=(
            rf"{_I}{_VERY}{{0,3}} {_WILL}{_VERY}{{0,2}} {_DIE}",
            rf"\b(?:makes?|making|made) me (?:really |just )?(?:want to|wanna) (?:{_DO}|{_DIE})",
            rf"{_I}{_VERY}{{0,2}} wish(?:ed|ing)? (?:that )?(?:i|id|im){_VERY}{{0,2}} (?:was|were|am|could|would|had|wasnt|werent"
            rf"|didnt|hadnt|wouldnt|be)?(?: have)?{_VERY}{{0,2}} ?"
            r"(?:dead\b(?! (?:tired|certain|sure|last|good|serious))|die\b|died|never (?:been )?born|not (?:be )?(?:alive|wake up"
            r"|exist)|alive|wake up (?:tomorrow|again|any ?more)|exist(?:ed)?\b|been born|disappear forever)",
            rf"{_I}(?: would| had|d)? (?:rather|better) (?:be dead|die)\b(?! than (?:eat|watch|use|wear|drink|write|listen|work with"
            rf"|go to))",
            r"\b(?:better off (?:dead|without me)|better (?:if i (?:was|were) (?:dead|gone|not here)|without me (?:here|alive)))",
            r"\b(?:i have|ive|ive got|i see|theres|there is|i|have|got|i just) (?:no|nothing|not?|nothing left|no more|dont see (?:a"
            r"|any|the)|cant see (?:a|any)|dont have (?:a|any)) (?:\w+ ){0,2}(?:to live for|reason to (?:live|stay alive|be alive"
            r"|go on)|point (?:in|to) (?:living|being alive))",
            r"\b(?:my )?life (?:isnt|is not|not|is no longer) worth living(?: any ?more)?",
            rf"{_I}{_VERY}{{0,2}} (?:am )?(?:tired of|done with|sick of|cant stand|hate) (?:living|being alive"
            rf"|life so much i)(?! (?:in|with|at|here|on|next|so far|out of|like a student|room)\b)",
            r"\bnobody would (?:\w+ ){0,2}(?:notice|care|miss me) if i (?:was|were|am|just)? ?(?:gone|dead|died|disappeared|vanished)",
            r"\b(?:thinking|thought|think) about ending (?:it|everything)\b(?! (?:with|between))",
            r"\b(?:thinking|thought|think) about ending things(?: (?:all|soon|lately|tonight|today|tomorrow|for good|forever"
            r"|once and for all"
            rf"|again|permanently|a lot)\b|{_STOPS})",
            rf"{_DESPAIR}[^\n]{{0,80}}\b(?:{_NO_REASON}) (?:to|in) (?:keep(?:ing)? going|carry(?:ing)? on|going on|go on|continu(?:e|ing))"
            rf"(?: any ?more| any longer| like this)?{_STOPS}",
            rf"\b(?:{_NO_REASON}) (?:to|in) (?:keep(?:ing)? (?:on )?living|continu(?:e|ing) (?:to live|living)|go(?:ing)? on living"
            r"|(?:keep(?:ing)?|carry(?:ing)?|go(?:ing)?) (?:going|on) with (?:my )?life)\b",
            rf"\b(?:easiest|easy|quick(?:est)?|fast(?:est)?|peaceful)(?: and)?(?: most)? painless(?:ly)? way to go{_STOPS}",
            rf"\b(?:die|dying|dead|death|suicid\w*|pills|any ?more)\b[^\n]{{0,80}}\b(?:painless|peaceful) way to go{_STOPS}",
            r"\b(?:painless|least painful) (?:\w+ )?ways? to die\b(?! (?:in|for (?:a|my|an)|my|the|out|hard|of)\b)",
            rf"\b(?:good ?bye|farewell|bye)\b[^\n]{{0,60}}\b(?:this is|these are|heres|here is) my (?:very )?(?:last|final) (?:message"
            rf"|words|post"
            rf"|note|letter|text|night){_ENDED}",
            r"\bthis is my (?:very )?(?:last|final) (?:message|words|post|note|letter|text|night)[^\w\n]{1,4}(?:good ?bye"
            r"|farewell) (?:everyone"
            r"|everybody|all|world|forever|cruel world)\b",
            r"\b(?:go to sleep|fall asleep) and (?:never|not) wake up",
            r"\bplease (?:someone )?(?:just )?kill me(?! (?:softly|with))",
            r"\bwant (?:it|everything|my life|the pain) to (?:all )?(?:be over|end)(?: for good| forever)",
        ),
        others=(
            rf"{_NEAR} [^.!?\n]{{0,60}}\b(?:says?|said|told|texted|wrote|saying|threatens|threatened|threatening|wants?|going|gonna"
            rf"|plans|planning|talks|talking|tells|thinking|thinks|trying|might|will|about) [^.!?\n]{{0,40}}\b(?:wants?|going|gonna"
            rf"|will|wanna|to|would|might|about|of)(?: just)? (?:to )?(?:{_SHE_DOES}|(?:killing|hurting|harming|cutting) {_SELVES}"
            r"|(?:ending|taking) (?:his|her|their) (?:own )?life|suicide\b(?! prevention| squad| rates?| statist))",
            rf"{_NEAR} [^.!?\n]{{0,60}}\b(?:doesnt|does not|dont|didnt) want to (?:live|be alive|be here any ?more|exist"
            rf"|wake up)(?! (?:in|with|at|on|here|there|near)\b)",
            rf"{_NEAR} (?:is|seems|might be|may be|has been|feels|was|says (?:he|she|they)s?(?: is| are)?"
            rf"|(?:just )?told me (?:that )?(?:he|she|they)s?(?: is| are| was)?) (?:\w+ ){{0,2}}"
            rf"(?:suicidal\b|having suicidal|cutting {_SELVES}|self ?-?harming)",
            rf"{_NEAR} (?:has |just |is |have |also ){{0,3}}(?:overdosed|took (?:all|too many|a whole|a bottle)|taken (?:all|too many"
            rf"|a whole|a bottle)|swallowed (?:all|a whole|a bottle|too many|pills|\d\d))(?! (?:\w+ ){{0,2}}(?:time|long|credit"
            rf"|seats))",
            rf"{_NEAR} (?:just |has ){{0,2}}(?:tried|attempted) (?:to )?(?:{_SHE_DOES}|suicide)[^.!?\n]{{0,20}}\b(?:last night|today"
            rf"|tonight|yesterday|this (?:morning|week|evening)|again|just now|now)",
            rf"{_NEAR}\b[^\n]{{0,200}}\b(?:and|that|says?|said|told me) (?:she|he|they) (?:wanted|wants?|was going|is going|will"
            rf"|would)(?: just)? (?:to )?{_SHE_DOES}",
            rf"{_NEAR} (?:wants|is going|is about|is threatening|plans|is planning|is trying|says he wants|says she wants"
            rf"|says they want|keeps saying (?:he|she) wants) to {_SHE_DOES}",
            rf"\b(?:she|he|they) (?:told me|texted me|says|said|keeps saying)(?: that)? (?:she|he|they)(?:s|ll)?(?: is| will"
            rf"| are)? ?(?:wants?|going|gonna|planning)? ?(?:to )?{_SHE_DOES}"
            r"[^.!?\n]{0,60}[.!?\n,] ?[^.!?\n]{0,30}\b(?:what (?:do|should|can) i|how (?:do|can) i|help|i dont know|im scared|worried)",
        ),
    ),
    "de": _Phrases(
        stems="umzubring|umbring|bringe mich"
        "|bring mich|sterben|tot sein|tot war|tot waere|tote mich|toten|toeten|leben|selbstmord|suizid"
        "|erhang|erhaeng|ritz|tablette|schlag|schlaeg|wurg|wuerg|vergewaltig|bedroh|pulsader|springen"
        "|schneide mich|verletze mich|uberdosis|ueberdosis|pillen|bruecke|brucke|weiterzumachen|lebt wohl|letzte nachricht",
        plain=(
            r"\bwie viele (?:\w+ ){0,2}(?:schlaf)?(?:tabletten|pillen)[^.!?\n]{0,40}\b(?:um zu sterben|zum sterben|um mich umzubringen"
            r"|um nicht mehr aufzuwachen|um tot zu sein)",
            r"\bich (?:\w+ ){0,4}(?:will|mochte|moechte|werde|habe vor|plane|habe geplant|habe den plan"
            r"|habe einen plan) (?:\w+ ){0,2}(?:von"
            r"|vor) (?:der|einer|den|einen|dem) (?:brucke|bruecke|hochhaus|dach|zug|balkon) (?:zu )?(?:springen|werfen)\b",
            r"\bich (?:\w+ ){0,4}(?:will|mochte|moechte|wollte|werde|muss|konnte|koennte|wurde|wuerde|wunschte"
            r"|kann) (?:\w+ ){0,4}(?:mich (?:\w+ ){0,2}(?:umbringen|toten|toeten|erhangen|erhaengen|erschiessen|vor den zug)"
            r"|mir (?:\w+ ){0,2}(?:das leben nehmen|etwas antun|was antun|die pulsadern)|selbstmord|suizid begehen"
            r"|mein(?:em)? leben (?:\w+ )?(?:ein ende|beenden))",
            r"\bich bring(?:e)? mich (?:\w+ ){0,3}um\b(?! fur dich)",
            r"\bich (?:will|mochte|moechte|kann|mag) (?:\w+ ){0,3}nicht mehr (?:leben|weiterleben|am leben sein|aufwachen"
            r"|da sein)(?! (?:in|mit|bei|auf|ohne))",
            r"\b(?:ich (?:habe|hab)|habe ich|habe|hab) (?:\w+ ){0,4}(?:suizid|selbstmord)gedanken",
            r"\bich bin (?:\w+ ){0,3}(?:suizidal|selbstmordgefahrdet|selbstmordgefaehrdet)",
            r"\bich denke (?:\w+ ){0,5}(?:an |uber |ueber |daran mich ?)(?:\w+ ){0,2}(?:selbstmord|suizid|umzubringen|zu toten)",
            r"\b(?:daran|druber|darueber|daruber|nach|davor|uberlege|ueberlege|denke daruber nach|plane|habe vor|hab vor),? (?:mich"
            r"|mir) (?:\w+ ){0,2}(?:umzubringen|zu toten|zu erhangen|das leben zu nehmen|etwas anzutun)",
            r"\bich (?:ritze|schneide|verletze) mich (?:\w+ ){0,2}(?:selbst|wieder|seit|jeden|immer|heimlich|an den armen|absichtlich)",
            r"\bich (?:habe|hab) (?:\w+ ){0,3}(?:alle|eine ganze|die ganze|zu viele|eine packung|eine uberdosis"
            r"|\d\d)(?: \w+){0,3} (?:genommen|geschluckt|eingenommen)",
            r"\bwie kann ich (?:mich (?:\w+ )?umbringen|mir (?:\w+ )?das leben nehmen|schmerzlos sterben)",
            r"\b(?:mein (?:\w+ )?(?:mann|freund|vater|ex|stiefvater|partner|bruder|sohn)|meine (?:\w+ )?(?:frau|mutter|freundin)|er"
            r"|sie) (?:schlagt|schlaegt|wurgt|wuergt|prugelt|vergewaltigt|missbraucht|misshandelt) (?:mich|uns|die kinder)(?! (?:beim"
            r"|im|in|um|vor|bei|oft im|immer im|immer beim))",
            r"\b(?:er|mann|freund|vater|ex|sie) (?:\w+ ){0,3}(?:droht|drohte|hat gedroht|versucht|will)[^.!?\n]{0,20} (?:mich"
            r"|uns) (?:\w+ )?(?:umzubringen|zu toten|zu toeten|umbringen|toten|abstechen)",
        ),
        loose=(
            r"\bich (?:will|mochte|moechte|wollte) (?:\w+ ){0,4}(?:sterben|tot sein|tot)\b(?! vor)",
            r"\bich (?:wunschte|wuenschte|ware|waere)(?: mir)?,? (?:\w+ ){0,3}(?:ich (?:ware|waere) )?(?:\w+ )?tot\b",
            r"\bohne mich (?:\w+ ){0,3}besser dran",
            r"\bkeinen (?:sinn|grund) mehr (?:zu leben|im leben|weiterzuleben)",
            r"\bich sehe (?:\w+ )?(?:keinen (?:sinn|grund)|kein grund) (?:mehr )?(?:darin )?(?:weiterzumachen|weiter zu machen)" + _STOPS,
            r"\b(?:lebt wohl|leb wohl|lebewohl)\b[^\n]{0,40}\bmeine letzte (?:nachricht|worte|nacht)(?! (?:hier|in|im|als|vor|aus|an"
            r"|fur)\b)",
        ),
        others=(
            r"\b(?:mein(?:e|en|er)?) (?:\w+ ){0,2}(?:freund(?:in)?|schwester|bruder|mutter|vater|tochter|sohn|mann|frau|kollege"
            r"|kollegin|mitbewohner(?:in)?|schuler(?:in)?|cousine?)\b[^.!?\n]{0,60}(?:sich (?:\w+ )?(?:umbringen|toten"
            r"|das leben nehmen|etwas antun|umzubringen|erhangen)|nicht mehr leben (?:will|mochte)|(?:will"
            r"|mochte) (?:\w+ )?(?:nicht mehr leben|sterben)|sterben will|tot sein will|suizidgedanken|selbstmordgedanken|ist suizidal"
            r"|uberdosis)",
        ),
    ),
    "fr": _Phrases(
        stems=(
            "la vie|mourir|suicid"
            "|en finir|me tuer|me pendre|mes jours|vivre|scarifi|veines|avale|medicaments|comprimes|frappe|tape|bat|viol"
            "|tuer|foutre en lair|a la vie|morte?\\b|etrangle|somnifere|sauter|continuer|adieu"
        ),
        plain=(
            r"\b(?:je (?:\w+ ){0,2}(?:veux|voudrais|vais|pense|songe)|jai (?:\w+ ){0,2}envie|jai decide|jenvisage"
            r"|jai pense)(?: \w+){0,2} (?:(?:a |de |d )?me (?:suicider|tuer|pendre|foutre en lair|jeter sous|trancher les veines"
            r"|faire du mal)|(?:a |de |den )?mettre fin a mes jours|(?:a |de |d)?en finir(?: avec la vie)?(?! avec (?!la vie|ma vie))"
            r"|(?:a|au) suicide\b(?! squad))",
            r"\bje (?:ne )?(?:veux|voudrais) plus (?:vivre|etre en vie|me reveiller)(?! (?:ici|avec|chez|a|en|dans|comme|seule?"
            r"|ensemble)\b)",
            r"\b(?:je )?nai plus (?:\w+ )?(?:envie|la force|le courage|aucune raison) de vivre(?! (?:ici|avec|a|en|dans)\b)",
            r"\bjai plus (?:envie|la force) de vivre(?! (?:ici|avec|a|en|dans)\b)",
            r"\bjai (?:\w+ ){0,3}(?:idees|pensees) (?:suicidaires|noires et)",
            r"\bje suis (?:\w+ )?suicidaire",
            r"\bje me (?:scarifie|mutile|taillade|coupe les veines|coupe (?:\w+ )?(?:pour|expres|les bras))",
            r"\bje (?:viens de |viens d)?(?:jai )?(?:pris|avaler?|prendre) (?:toute|tous|une boite|deux boites"
            r"|trop)[^.!?\n]{0,20}(?:boite|medicaments|comprimes|cachets|somniferes)",
            r"\bjai (?:\w+ )?(?:pris|avale) (?:\w+ )?(?:toute|tous|une boite|deux boites|trop|une plaquette"
            r"|\d\d)[^.!?\n]{0,20}(?:boite|medicaments|comprimes|cachets|somniferes|dolipranes?)",
            r"\b(?:mon (?:\w+ )?(?:mari|copain|conjoint|pere|ex|compagnon|beau-pere|frere|mec)|ma (?:mere|femme|copine)|il"
            r"|elle) (?:est en train de )?(?:me|nous) (?:frappe|tape(?! (?:sur les nerfs|la discute|dans loeil))|bat|viole|etrangle"
            r"|cogne|frapper|taper|battre|violer|etrangler)(?:r)?\b(?! (?:aux|au|a|dans|sur lepaule)\b)",
            r"\b(?:menace|essaie|essaye|jure|a menace)(?: encore)? de (?:me|nous) (?:tuer|planter|egorger)",
            r"\bcombien de (?:\w+ ){0,2}(?:somniferes|comprimes|cachets|medicaments|pilules|dolipranes?)[^.!?\n]{0,40}\bpour (?:mourir"
            r"|en finir"
            r"|me tuer|me suicider|ne (?:plus|pas) me reveiller)",
            r"\bje (?:\w+ )?(?:vais|veux|voudrais|compte|prevois de|pense) (?:\w+ )?(?:sauter|me jeter) (?:du|dun|par la|sous (?:le|un"
            r"|mon)) (?:pont"
            r"|toit|balcon|fenetre|train|metro)\b",
            r"\bcomment (?:puis-je )?(?:me suicider|me tuer|mourir sans)",
        ),
        loose=(
            r"\bje (?:\w+ ){0,2}(?:veux|voudrais|prefere(?:rais)?) (?:\w+ )?(?:mourir|crever|etre morte?)\b(?! de)",
            r"\bjai (?:\w+ ){0,2}envie de (?:mourir|crever|disparaitre pour)\b(?! de)",
            r"\bla vie ne vaut (?:plus|pas) la peine",
            r"\bje ne (?:vois|trouve) (?:plus|pas) (?:\w+ )?(?:de |aucune )?(?:raison|raisons) de (?:vivre|continuer(?: a vivre)?"
            + _STOPS
            + ")",
            r"\badieu\b[^\n]{0,40}\bmon dernier (?:message|mot|soir)(?! (?:ici|sur|dans|avant|en|au|a|de|du|comme|pour)\b)",
            r"\bmieux sans moi\b",
        ),
        others=(
            r"\b(?:mon|ma|mes|une|un) (?:\w+ ){0,2}(?:ami|amie|amies|soeur|frere|mere|pere|fille|fils|mari|femme|copain|copine|eleve"
            r"|collegue|cousine?)\b[^.!?\n]{0,50}(?:(?:veut|va|voulait|menace de|parle de|pense a|envie de) (?:se (?:suicider|tuer"
            r"|pendre)|mourir|en finir|mettre fin a ses jours)|ne veut plus vivre|est suicidaire|idees suicidaires)",
        ),
    ),
    "es": _Phrases(
        stems=(
            "morir|matar|suicid|quitarme|mi vida|viv|corto|cortando|corte|pastillas|pega|golpe|viol|acabar con|muerta?\\b|sobredosis"
            "|estrangul|saltar|seguir|adios|la vida"
        ),
        plain=(
            r"\b(?:quiero|quisiera|voy a|pienso en|pensando en|he pensado en|planeo|decidi|necesito|ganas de|deseo|intente|quise"
            r"|tengo que|idea de|como puedo|como) (?:\w+ ){0,2}(?:matarme|suicidarme|quitarme la vida|ahorcarme|acabar con mi vida"
            r"|terminar con mi vida|cortarme las venas|hacerme dano|tirarme (?:de|por|al tren))",
            r"\bme (?:quiero|voy a|quisiera|pienso) (?:\w+ )?(?:matar|suicidar|ahorcar|quitar la vida)\b(?! (?:a|de) )",
            r"\bno quiero (?:seguir viviendo|vivir(?: mas| asi)?|estar viv[oa]|despertar)\b(?! (?:en|con|aqui|alli|solo|sola|cerca"
            r"|junto|a|de|mas (?:en|con|aqui))\b)",
            r"\b(?:ya )?no (?:tengo|encuentro|siento) (?:\w+ ){0,2}(?:ganas|razon(?:es)?|motivos?) (?:de|para) (?:seguir )?viv(?:ir"
            r"|iendo)(?! (?:en|con|aqui)\b)",
            r"\b(?:tengo|me vienen|he tenido|con) (?:\w+ ){0,2}(?:pensamientos|ideas) (?:suicidas|de suicidio|de muerte)",
            r"\bpienso (?:\w+ )?en el suicidio",
            r"\bcuantas (?:\w+ )?(?:pastillas|tabletas)[^.!?\n]{0,50}\bpara (?:morir(?:me)?|matarme|no despertar(?:me)?|suicidarme)\b",
            r"\b(?:voy a|quiero|planeo|pienso|tengo un plan para|tengo planeado) (?:\w+ )?(?:saltar|tirarme|lanzarme) (?:de|desde|del"
            r"|por) (?:el |la "
            r"|un |una )?(?:puente|azotea|balcon|ventana|edificio)(?! (?:con|en) )",
            r"\bme (?:estoy cortando|corto|corte) (?:\w+ )?(?:las (?:venas|munecas)|los brazos|las piernas|para (?:sentir|no sentir)"
            r"|a proposito|cada)",
            r"\bestoy cortandome",
            r"\b(?:me )?(?:acabo de tomar(?:me)?|tome|he tomado|trague) (?:\w+ )?(?:todas?|un frasco|una caja|muchas|demasiadas"
            r"|\d\d)[^.!?\n]{0,25}(?:pastillas|medicamentos|comprimidos|tabletas|somniferos)",
            r"\b(?:mi (?:\w+ )?(?:marido|esposo|esposa|novio|novia|pareja|padre|papa|padrastro|madre|mama|ex|hermano|hijo)|el"
            r"|ella) (?:siempre |otra vez |ya )?(?:me|nos) (?:pega|golpea|viola|maltrata|estrangula|ahorca|esta (?:pegando|golpeando"
            r"|violando|ahorcando|matando))\b(?! (?:un susto|la gripe|el))",
            r"\b(?:me|nos) (?:amenaza con|amenazo con|esta amenazando con|dice que me va a|quiere|intento|va a querer) matar(?:me"
            r"|nos)?\b[^.!?\n]{0,40}",
            r"\bamenaza(?:ndo)? con matar(?:me|nos)",
        ),
        loose=(
            r"\b(?:quiero|quisiera|prefiero|ganas de|deseo) (?:\w+ )?(?:morir(?:me)?|estar muert[oa]|dejar de existir"
            r"|desaparecer para siempre)\b(?! de )",
            r"\bme quiero morir\b(?! de )",
            r"\b(?:ojala|quisiera) (?:me muriera|no despertar|estar muert[oa]|no haber nacido)",
            r"\bmejor sin mi\b",
            r"\bno (?:le )?(?:veo|encuentro|tengo) (?:\w+ )?(?:sentido|razon|razones|motivos?) (?:a|para|de) (?:la vida\b|vivir"
            r"|seguir (?:viviendo"
            r"|adelante))" + _STOPS,
            r"\badios (?:a todos|a todas|mundo|mundo cruel)\b[^\n]{0,30}\bmi ultimo (?:mensaje|dia|adios)(?! (?:aqui|en|antes|de|como"
            r"|para|con)\b)",
            r"\bno vale la pena (?:seguir )?viv(?:ir|iendo)",
        ),
        others=(
            r"\b(?:mi|un|una|mis) (?:\w+ )?(?:amigo|amiga|hermano|hermana|madre|padre|mama|papa|hijo|hija|esposo|esposa|marido|novio"
            r"|novia|primo|prima|companer[oa]|alumn[oa]|vecin[oa])\b[^.!?\n]{0,50}(?:(?:se )?(?:quiere|va a|piensa en|intento"
            r"|amenaza con|hablando de) ?(?:\w+ )?(?:matar(?:se)?|suicidar(?:se)?|morir(?:se)?|quitarse la vida|ahorcarse)"
            r"|no quiere (?:seguir viviendo|vivir)|pensamientos suicidas|ideas suicidas)",
        ),
    ),
    "pt": _Phrases(
        stems=(
            "morrer|matar|suicid|minha vida|minha propria vida|viver|cort|remedio|comprimidos|bate|batendo|espanc|estupr|mort[oa]|viol"
            "|enforc|acabar com tudo|ponte|predio|continuar|adeus"
        ),
        plain=(
            r"\b(?:quero|queria|vou|penso em|pensando em|pensei em|vontade de|preciso|decidi|tentei|planejo|como posso|como"
            r"|ideia de) (?:\w+ )?(?:me (?:matar|suicidar|enforcar|cortar|jogar da (?:ponte|janela)|machucar)|matar-me|suicidar-me"
            r"|enforcar-me|tirar a? ?minha (?:propria )?vida|(?:acabar|terminar) com a? ?minha (?:propria )?vida"
            r"|por fim a minha vida)\b(?! de (?:rir|tanto|estudar|trabalhar|comer))",
            r"\bnao quero (?:mais viver|viver(?: mais)?|continuar (?:a viver|viva?o?|vivendo)|estar viv[oa]|mais acordar)\b(?! (?:em"
            r"|com|aqui|no|na|sozinh[oa]|mais (?:em|com|aqui|no|na))\b)",
            r"\bnao (?:tenho|vejo|sinto) (?:mais )?(?:vontade|razao|motivos?|sentido) (?:de|para|pra|em) (?:continuar )?(?:a )?viver",
            r"\b(?:tenho|tendo|com|tive) (?:\w+ )?(?:pensamentos|ideias|ideacao) suicidas?",
            r"\bquantos (?:\w+ )?(?:comprimidos|remedios)[^.!?\n]{0,50}\b(?:para|pra) (?:morrer|me matar|nao acordar(?: mais)?)\b",
            r"\b(?:vou|quero|penso em|planejo|tenho um plano (?:para|de)) (?:\w+ )?(?:pular|saltar|me atirar) (?:da|de uma?|do) (?:ponte"
            r"|predio|telhado"
            r"|janela|viaduto)\b(?! (?:com|de) )",
            r"\b(?:penso|pensando|pensei) (?:\w+ )?(?:em|no) suicidio\b(?! n[oa])",
            r"\b(?:me corto|eu me cortei|estou me cortando|corto os (?:pulsos|bracos)|cortei os pulsos|me automutilo)\b(?! (?:com"
            r"|cozinhando|fazendo))",
            r"\b(?:tomei|engoli|acabei de tomar) (?:\w+ )?(?:todos?|todas|uma cartela|uma caixa|um frasco|muitos|varios|um monte"
            r"|\d\d)[^.!?\n]{0,25}(?:remedios?|comprimidos|medicamentos?|calmantes?|pilulas)",
            r"\b(?:meu (?:\w+ )?(?:marido|namorado|pai|padrasto|ex|companheiro|irmao|filho)|minha (?:\w+ )?(?:mulher|mae|namorada"
            r"|esposa)|ele|ela) (?:sempre |ainda |esta |ta )?(?:me|nos) (?:bate|espanca|estupra|agride|violenta|abusa|batendo"
            r"|espancando|estrangulando|enforcando|agredindo)\b(?! (?:no|na|em|uma saudade|no xadrez))",
            r"\bbate-me\b",
            r"\b(?:ameaca|ameacou|ameacando|disse que vai|jurou|tentou) (?:de )?me matar",
            r"\bameaca(?:ndo)? matar-me",
        ),
        loose=(
            r"\b(?:quero|queria|so quero|prefiro|vontade de) (?:\w+ )?(?:morrer|estar mort[oa]|sumir pra sempre|deixar de existir"
            r"|nunca mais acordar)\b(?! de )",
            r"\bmelhor sem mim\b",
            r"\bnao (?:vejo|encontro|tenho) (?:mais )?(?:\w+ )?(?:sentido|razao|motivos?) (?:para|pra|em|de) (?:continuar(?: vivendo"
            r"| viva?o?)?"
            r"|seguir em frente)" + _STOPS,
            r"\badeus (?:a todos|a todas|mundo|mundo cruel)\b[^\n]{0,30}\b(?:minha ultima mensagem|meu ultimo dia)(?! (?:aqui|em|no|na"
            r"|antes|como)\b)",
            r"\bnao vale (?:mais )?a pena (?:continuar )?(?:a )?viver",
        ),
        others=(
            r"\b(?:meu|minha|um|uma) (?:\w+ )?(?:amig[oa]|irma|irmao|mae|pai|filh[oa]|marido|esposa|namorad[oa]|prim[oa]|colega"
            r"|alun[oa]|vizinh[oa])\b[^.!?\n]{0,50}(?:(?:quer|vai|pensa em|tentou|ameaca|vontade de) (?:\w+ )?(?:se (?:matar|suicidar"
            r"|enforcar)|morrer|matar-se|suicidar-se|tirar a propria vida)|nao quer (?:mais )?viver|pensamentos suicidas)",
        ),
    ),
    "it": _Phrases(
        stems=(
            "morire|uccider|ammazz|suicid|farla finita|togliermi|vivere|tagli|pastiglie|pillole|picchia|menando|violenta|mort[oa]\\b"
            "|sonnifer|strangol|uccid|buttarmi|andare avanti|addio"
        ),
        plain=(
            r"\b(?:voglio|vorrei|sto per|penso di|pensando di|pensato di|ho deciso di|ho voglia di|devo|come posso|come|ho provato a"
            r"|intendo) (?:\w+ )?(?:uccidermi|ammazzarmi|suicidarmi|farla finita(?! con (?!la vita|tutto))|togliermi la vita"
            r"|impiccarmi|buttarmi (?:dal|sotto)|farmi del male|tagliarmi le vene)",
            r"\bmi (?:voglio|vorrei) (?:uccidere|ammazzare|suicidare|impiccare)",
            r"\bmi (?:uccido|ammazzo|suicido|impicco) (?:stanotte|stasera|oggi|domani|davvero|adesso)",
            r"\bnon (?:voglio|ho voglia di|ho piu voglia di|riesco) (?:piu )?(?:a )?vivere(?: piu)?(?! (?:in|con|qui|a|da sol[oa]"
            r"|cosi lontano|senza)\b)",
            r"\bnon ho (?:piu )?(?:nessun |alcun )?(?:motivo|ragione|motivi|voglia) (?:di|per) vivere",
            r"\bpenso (?:\w+ ){0,2}al suicidio",
            r"\bquant[ei] (?:\w+ )?(?:pastiglie|pillole|compresse|sonniferi)[^.!?\n]{0,50}\bper (?:morire|uccidermi|ammazzarmi"
            r"|non svegliarmi)\b",
            r"\bho (?:un piano|intenzione|in programma) (?:per|di) (?:uccidermi|ammazzarmi|suicidarmi|buttarmi (?:dal|giu|da un|sotto))",
            r"\bho (?:\w+ ){0,2}(?:pensieri|idee) suicid[ie]",
            r"\bmi (?:sto tagliando|taglio|sono tagliat[oa]) (?:\w+ )?(?:le (?:vene|braccia)|i polsi|apposta|per non|di nuovo)",
            r"\bho (?:appena )?(?:preso|ingoiato|mandato giu) (?:\w+ )?(?:tutte|tutti|una scatola|un flacone|troppe|troppi"
            r"|\d\d)[^.!?\n]{0,25}(?:pastiglie|pillole|compresse|sonniferi|medicine)",
            r"\b(?:mio (?:\w+ )?(?:marito|padre|ragazzo|fidanzato|ex|compagno|fratello|figlio)|mia (?:moglie|madre)|lui|lei) (?:mi"
            r"|ci) (?:picchia|mena|violenta|strangola|sta (?:picchiando|menando|violentando|strangolando)|maltratta)\b",
            r"\b(?:minaccia|ha minacciato|sta cercando|tenta) di (?:uccider|ammazzar)(?:mi|ci)",
        ),
        loose=(
            r"\b(?:voglio|vorrei|preferirei|ho voglia di) (?:\w+ )?(?:morire|essere mort[oa]|sparire per sempre"
            r"|non svegliarmi)\b(?! d)",
            r"\bmeglio senza di me\b",
            r"\bnon (?:vedo|trovo) (?:piu )?(?:nessun |alcun |un |il |una )?(?:motivo|senso|ragione) (?:per|di|nel|a|in) (?:vivere"
            r"|andare avanti"
            r"|continuare(?: a vivere)?)" + _STOPS,
            r"\baddio (?:a tutti|mondo|mondo crudele)\b[^\n]{0,30}\bmio ultimo (?:messaggio|giorno)(?! (?:qui|in|su|prima|come|da|al)\b)",
            r"\bnon vale (?:piu )?la pena (?:di )?vivere",
        ),
        others=(
            r"\b(?:mio|mia|un mio|una mia|il mio|la mia) (?:\w+ )?(?:amic[oa]|sorella|fratello|madre|padre|figli[oa]|marito|moglie"
            r"|ragazz[oa]|collega|cugin[oa]|alunn[oa])\b[^.!?\n]{0,50}(?:(?:vuole|vorrebbe|pensa di|minaccia di"
            r"|sta per) (?:\w+ )?(?:uccidersi|ammazzarsi|suicidarsi|morire|farla finita|togliersi la vita)|si vuole (?:uccidere"
            r"|ammazzare|suicidare)|non vuole piu vivere)",
        ),
    ),
    "nl": _Phrases(
        stems="dood|leven|zelfmoord|eind aan|einde aan|mezelf|sterven|pillen|slaat|sloeg|verkracht|wurgt|zelfdoding|suicid|zitten"
        "|door te|dood te"
        "|te sterven|brug|vaarwel|laatste bericht",
        plain=(
            r"\bhoeveel (?:\w+ )?(?:slaap)?(?:pillen|tabletten|paracetamol)[^.!?\n]{0,40}\bom (?:dood te gaan|te sterven"
            r"|niet meer wakker te worden"
            r"|er een einde? aan te maken|mezelf te doden)",
            r"\bik (?:\w+ ){0,2}(?:wil|ga|zal|heb een plan om|ben van plan om) (?:\w+ )?(?:van (?:de|een) (?:brug|flat|dak)|voor (?:de|een)"
            r" trein) (?:af )?(?:te )?springen\b",
            r"\bik (?:\w+ ){0,4}(?:wil|ga|zou|moet|kan|denk|overweeg)(?: \w+){0,4} (?:niet meer (?:leven|wakker worden)(?! (?:in|met"
            r"|bij|op))|zelfmoord|zelfdoding|suicide plegen|mezelf (?:\w+ )?(?:van kant maken|ophangen|doden|vermoorden|iets aandoen"
            r"|wat aandoen|pijn doen)|er een einde? aan (?:ga )?maken|een einde? aan mijn leven)",
            r"\bik maak er (?:\w+ )?een einde? aan",
            r"\bik wil (?:\w+ ){0,3}(?:dood|er niet meer zijn)\b(?!gewoon)",
            r"\bik (?:snijd?|verwond|krab) (?:mezelf|mijn polsen)",
            r"\bik heb (?:\w+ )?(?:een hele (?:strip|doos|pot)|alle|te veel|\d\d)[^.!?\n]{0,25}(?:pillen|tabletten|slaappillen"
            r"|paracetamol)",
            r"\b(?:mijn (?:\w+ )?(?:man|vriend|vader|ex|stiefvader|partner|broer|moeder|vrouw)|hij) (?:slaat|schopt|wurgt|verkracht"
            r"|mishandelt|misbruikt) (?:me|mij|ons)\b",
            r"\bdreigt (?:me|mij|ons) (?:te vermoorden|dood te|neer te)",
            r"\bik heb (?:\w+ )?(?:zelfmoordgedachten|suicidale gedachten)",
        ),
        loose=(
            r"\bik wil (?:\w+ )?sterven\b(?! van)",
            r"\bwas ik maar dood",
            r"\bbeter af zonder mij",
            r"\bik zie het (?:leven |allemaal |echt |gewoon |even ){0,3}niet meer (?:zo )?zitten(?! (?:om|met|bij|op|in|als|voor|dat"
            r"|tussen|hier)\b)",
            r"\bik zie (?:\w+ )?geen (?:reden|zin)(?: meer)? om (?:nog )?(?:door te gaan|verder te (?:gaan|leven)|te leven)" + _STOPS,
            r"\bvaarwel\b[^\n]{0,40}\bmijn laatste (?:bericht|avond|woorden)(?! (?:hier|in|op|als|voor|aan|bij)\b)",
        ),
        others=(
            r"\b(?:mijn|een) (?:\w+ )?(?:vriend(?:in)?|zus|broer|moeder|vader|dochter|zoon|man|vrouw|collega|leerling|nicht"
            r"|neef)\b[^.!?\n]{0,50}(?:zelfmoord (?:wil|gaat|plegen)|dood wil|wil dood|niet meer (?:wil )?leven(?: wil)?"
            r"|zich(?:zelf)? (?:van kant|ophangen|iets aandoen)|er een eind aan)",
        ),
    ),
    "pl": _Phrases(
        stems="umrzec|zabi|samoboj|ze soba|zyc\\b|potn|pocielam|pocialem|tne sie|tabletek|tabletki|bije|gwalci|powies|okalecz|dusi|martw",
        plain=(
            r"\b(?:chce|chcialabym|chcialbym|zamierzam|musze|planuje|zaraz|jak) (?:\w+ ){0,2}(?:sie (?:\w+ )?(?:zabic|powiesic|pociac"
            r"|otruc)|zabic sie|powiesic sie|popelnic samobojstwo|skonczyc ze soba|odebrac sobie zycie|ze soba skonczyc"
            r"|targnac sie na)",
            r"\b(?:zabije|powiesze) sie (?:\w+ )?(?:dzis|jutro|teraz|dzisiaj|w nocy|naprawde)",
            r"\bnie chce (?:mi sie )?(?:juz )?(?:dluzej )?(?:zyc|istniec)(?: juz)?(?! (?:w|z|tu|tak daleko|na|bez)\b)",
            r"\bmysle (?:\w+ ){0,2}o (?:samobojstwie|tym zeby sie zabic)",
            r"\bmam (?:\w+ )?mysli samobojcze",
            r"\b(?:tne sie|pocielam sie|pocialem sie|okaleczam sie|podcielam sobie zyly|podcialem sobie zyly)",
            r"\b(?:wzielam|wzialem|polknelam|polknalem|lyknelam) (?:\w+ )?(?:wszystkie|cale|cala|za duzo|mnostwo"
            r"|\d\d)[^.!?\n]{0,25}(?:tabletek|tabletki|lekow|leki|proszkow|opakowanie)",
            r"\b(?:moj )?(?:\w+ )?(?:maz|ojciec|chlopak|partner|ojczym|tata|syn|brat|on|matka) (?:\w+ )?(?:mnie|nas) (?:\w+ )?(?:bije"
            r"|gwalci|dusi|katuje|molestuje)\b(?! (?:w (?:szachy|karty|gr)|na glowe|rekord))",
            r"\b(?:bije|dusi|katuje) mnie (?:maz|ojciec|chlopak|partner|ojczym)",
            r"\b(?:maz|ojciec|chlopak|partner|ojczym|tata) (?:bije|dusi|katuje) (?:mnie|nas)\b(?! w )",
            r"\b(?:grozi|powiedzial),? ze (?:mnie|nas) zabije",
        ),
        loose=(
            r"\bchce (?:\w+ )?(?:umrzec|zdechnac|nie zyc)\b(?! z[e]? )",
            r"\b(?:wolalabym|wolalbym) (?:umrzec|nie zyc)",
            r"\bzabije sie\b",
            r"\bnie mam (?:juz )?po co zyc",
        ),
        others=(
            r"\b(?:moja|moj|mojej|mojego|kolezanka|kolega) ?(?:\w+ )?(?:przyjaciolka|przyjaciel|siostra|brat|mama|matka|ojciec|corka"
            r"|syn|maz|zona|chlopak|dziewczyna|kolezanka|kolega|kuzynka|uczen|uczennica)\b[^.!?\n]{0,50}(?:chce sie zabic|sie zabije"
            r"|nie chce (?:juz )?zyc|(?<!nie\s)chce (?:umrzec|popelnic samobojstwo|ze soba skonczyc|skonczyc ze soba)"
            r"|mysli samobojcze)",
        ),
    ),
    "ru": _Phrases(
        stems=(
            "снотвор|наглот|умереть|сдохнуть|убить|покончить|покончу|жить|самоуби|суицид|повеси|вены|режу|таблет|бьет|избивает|душит"
            "|насилу|резать|убьет|спрыгн|прыгн"
        ),
        plain=(
            r"\b(?:хочу|хочется|собираюсь|решил|решила|думаю|буду|пытался|пыталась|как|готов|готова|мысли"
            r"|желание) (?:\w+ ){0,2}(?:покончить (?:с собой|с жизнью|жизнь самоубийством)|убить себя|повеситься"
            r"|совершить самоубийство|совершить суицид|спрыгнуть с (?:крыши|моста)|порезать вены|наложить на себя руки|самоубиться)",
            r"\b(?:я )?(?:покончу с собой|убью себя|повешусь|наложу на себя руки)",
            r"\b(?:я )?(?:больше )?не хочу (?:больше )?жить(?: больше)?(?! (?:в|с|на|тут|здесь|без|одн|вместе|как|по)\b)",
            r"\bне хочется (?:\w+ )?жить\b(?! (?:в|с|на)\b)",
            r"\bжить (?:больше |совсем |уже )?не хочется\b",
            r"\b(?:думаю|мысли|задумываюсь) (?:\w+ )?о (?:суициде|самоубийстве)",
            r"\b(?:у меня|есть) (?:\w+ )?суицидальные мысли",
            r"\b(?:я )?(?:режу себя|режу руки|порезала? (?:себе )?вены|вскрыла? вены)",
            r"\b(?:я )?(?:выпил|выпила|наглотался|наглоталась|проглотил|проглотила|принял|приняла) (?:\w+ )?(?:все|всю|пачку|упаковку"
            r"|горсть|много|целую|таблеток|\d\d)[^.!?\n]{0,25}(?:таблет|снотворн|лекарств|упаковку|пачку)",
            r"\bнаглотал(?:ся|ась) таблет",
            r"\b(?:муж|отец|парень|отчим|он|папа|сын|мать|брат|бывший) (?:\w+ )?(?:меня|нас) (?:\w+ )?(?:бьет|избивает|душит|насилует"
            r"|режет)\b",
            r"\b(?:муж|отец|парень|отчим|он|папа) (?:снова |опять |сейчас )?(?:бьет|избивает|душит|насилует) (?:меня|нас|маму)\b",
            r"\b(?:угрожает|обещает|грозится|пытается|хочет) (?:меня |нас )?(?:убить|зарезать|задушить) ?(?:меня|нас)\b",
            r"\bугрожает меня (?:убить|зарезать)",
        ),
        loose=(
            r"\bхочу (?:\w+ )?(?:умереть|сдохнуть|исчезнуть навсегда)\b(?! от)",
            r"\bлучше бы (?:я|мне) (?:умер|умерла|не рожда|сдох|умереть)",
            r"\b(?:незачем|нет смысла|смысла нет|зачем мне) (?:больше )?жить",
            r"\bустал[а]? жить\b",
        ),
        others=(
            r"\b(?:моя|мой|мои|у меня|моей|моего)? ?(?:\w+ )?(?:подруга|друг|сестра|брат|мама|дочь|дочка|сын|муж|жена|парень|девушка"
            r"|коллега|ученик|ученица|одноклассница)\b[^.!?\n]{0,50}(?:хочет (?:умереть|покончить с собой|убить себя|повеситься)"
            r"|не хочет (?:больше )?жить|покончит с собой|собирается покончить|думает о (?:суициде|самоубийстве)|угрожает (?:суицидом"
            r"|покончить))",
        ),
    ),
    "tr": _Phrases(
        stems="olmek|oldur|intihar|yasamak|canima|bilek|ilac|hap|dovuyor|dovdu|tecavuz|bogaz|jilet|kendime zarar|asmak",
        plain=(
            r"\bkendimi (?:\w+ )?(?:oldurmek|oldurecegim|oldurucem|oldurmeyi|asacagim|asmak istiyorum|kesiyorum|jiletliyorum)",
            r"\bintihar (?:etmek istiyorum|edecegim|edicem|etmeyi (?:\w+ )?(?:dusunuyorum|planliyorum)|etmeye|dusunceleri|etmeliyim"
            r"|ettim)",
            r"(?<![dt][ae]\s)\byasamak (?:\w+ )?istemiyorum(?! (?:\w+ )?(?:burada|sehirde|evde|ulkede|mahallede))",
            r"\bdunyada (?:artik )?yasamak (?:\w+ )?istemiyorum",
            r"\bcanima kiy(?:acagim|mak istiyorum|icam)",
            r"\bhayatima son ver(?:mek istiyorum|ecegim|meyi)",
            r"\bbileklerimi (?:\w+ )?(?:kestim|kesecegim|kesmek istiyorum|kesiyorum)",
            r"\b(?:bir kutu|butun|cok fazla|avuc dolusu|\d\d|tum) (?:\w+ )?(?:ilac|ilaclari|hap|haplari|ilaci|hapi) (?:\w+ )?(?:ictim"
            r"|yuttum|aldim)",
            r"\bkendime zarar veriyorum",
            r"\b(?:kocam|esim|babam|sevgilim|abim|annem|o|eski kocam) (?:\w+ )?(?:beni|bizi) (?:\w+ ){0,2}(?:dovuyor|bogazliyor|bogmaya"
            r"|oldurmeye|oldurmekle|oldurecegini|taciz ediyor|dovdu)(?! (?:santranc|oyun|mac))",
        ),
        loose=(
            r"\bolmek (?:\w+ )?(?:istiyorum|istiyom)\b",
            r"\bkeske (?:olsem|olseydim|hic dogmasaydim|uyanmasam)",
            r"\byasamanin (?:bir )?anlami (?:kalmadi|yok)",
        ),
        others=(
            r"\b(?:arkadasim|kardesim|ablam|abim|annem|babam|kizim|oglum|esim|sevgilim|kuzenim"
            r"|ogrencim)\b[^.!?\n]{0,40}(?:intihar (?:edecegini|etmek istedigini|etmek istiyor|etmeyi|edecek)|olmek (?:istedigini"
            r"|istiyor)|yasamak iste(?:medigini|miyor)|kendini (?:oldurecegini|oldurmek))",
        ),
    ),
    "ar": _Phrases(
        stems="الحيا|اموت|الموت|موت|انتحر|الانتحار|نفسي|حياتي|العيش|اعيش|حبوب|جرعه|يضرب|يغتصب|يقتل|ينتحر|يموت",
        plain=(
            r"(?:اريد|اود|ارغب|ساقوم|افكر|قررت|بفكر|عايز|عايزه|بدي|حابب|ناوي|ناويه)(?: \w+)? (?:ان )?(?:في |ب|ف )?(?:انتحر|الانتحار"
            r"|انتحار|اقتل نفسي|قتل نفسي|انهي حياتي|انهاء حياتي|اشنق نفسي|اموت نفسي)",
            r"\b(?:سانتحر|ساقتل نفسي|سانهي حياتي|هنتحر|رح انتحر|راح انتحر|حانتحر)",
            r"(?:لا|لم اعد|ما عدت|مش|ما) (?:اريد|ارغب في|عايز|عايزه|بدي|ابغي|ابي) (?:ان )?(?:العيش|اعيش|الحياه|عيش"
            r"|البقاء علي قيد الحياه)(?! (?:في|مع|هنا))",
            r"(?:لدي|عندي|تراودني|تاتيني) افكار انتحاريه",
            r"(?:تناولت|ابتلعت|اخذت|بلعت|شربت) (?:\w+ )?(?:كل|علبه|جرعه زائده|كثيرا من|شريط|الكثير من)(?: \w+){0,2} ?(?:حبوب|الحبوب"
            r"|دواء|الدواء|الادويه|زائده)",
            r"(?:زوجي|ابي|والدي|اخي|خطيبي|طليقي|هو|بابا|جوزي|امي) (?:\w+ )?(?:يضربني|بيضربني|يغتصبني|يخنقني|يعنفني|يتحرش بي|يحاول قتلي"
            r"|يهدد بقتلي|يهددني بالقتل|تضربني)",
            r"(?:اجرح|جرحت|اؤذي|قطعت) (?:نفسي|شراييني|معصمي)",
            r"كيف (?:انتحر|اقتل نفسي|انهي حياتي)",
        ),
        loose=(
            r"(?:اريد|اتمني|عايز|عايزه|بدي|نفسي|ابي|ابغي|ودي) (?:ان )?(?:اموت|الموت|موت)\b(?! (?:في سبيل|علي|من الضحك))",
            r"ليتني (?:اموت|مت|لم اولد|ميت)",
            r"لا (?:فائده|معني|جدوي) من (?:حياتي|العيش|بقائي)",
        ),
        others=(
            r"(?:صديقي|صديقتي|اخي|اختي|امي|ابي|ابني|ابنتي|زوجي|زوجتي|زميلي|زميلتي|صاحبي|صاحبتي)[^.!?\n؟]{0,50}(?:ت?ي?ريد (?:ان )?(?:ت"
            r"|ي)?(?:نتحر|موت|قتل نفسه|قتل نفسها)|(?:ي|ت)فكر (?:في|ب) ?الانتحار|(?:س|رح )(?:ي|ت)نتحر|(?:يريد|تريد) (?:الانتحار|الموت"
            r"|انهاء حيات)|هدد(?:ت)? بالانتحار)",
        ),
    ),
    "hi": _Phrases(
        stems=(
            "मर|आत्महत्या|खुदकुशी|जीना|जीने|जान|गोलिया|जहर|मार|पीट|marn|mar jan|suicide|khudkushi|jeena|jina|jeene|zeher|zahar|maarta"
            "|marta|peet|pit "
        ),
        plain=(
            r"(?:आत्महत्या|खुदकुशी|सुसाइड) (?:कर(?:ना| लेना)? ?(?:चाहत|चाह रह|है मुझे|जा रह|लू|लूं)|करने (?:जा रह|की सोच|का मन|वाल)"
            r"|कर लूंगा|कर लूंगी|के (?:ख्याल|विचार) आ|के बारे में सोच रह|करूंगा|करूंगी)",
            r"(?:खुद को|अपने आप को) (?:खत्म|मार|मारना|मार डालना|मार डालू)[^।.!?\n]{0,12}(?:चाहत|लूंगा|लूंगी|मन|जा रह|दू|दूं)",
            r"(?:अपनी )?जान (?:देना चाहत|देने जा रह|दे दूंगा|दे दूंगी|देने का मन)",
            r"(?:अब |मैं |और )?(?:जीना|जिंदा रहना) नहीं चाहत",
            r"जीने (?:का|की) (?:\S+ )?(?:मन|इच्छा) नहीं",
            r"मैंने (?:\S+ ){0,3}(?:जहर खा|नींद की (?:\S+ )?गोलियां|बहुत सारी गोलियां|सारी गोलियां)[^।.!?\n]{0,14}",
            r"(?:अपनी )?(?:कलाई|नस) काट (?:ली|लूंगा|लूंगी|रह)",
            r"(?:पति|पिता|पापा|ससुर|बॉयफ्रेंड|भाई|वह|वो) (?:\S+ ){0,2}(?:मुझे|हमें|मुझको) (?:\S+ ){0,3}(?:मारता है|मारते हैं|पीटता है"
            r"|पीटते हैं|मार रहा है|पीट रहा है|मार रहे हैं|पीट रहे हैं|मारने की धमकी|जान से मार)",
            r"\b(?:suicide|khudkushi|aatmahatya) (?:kar(?:na|ne| lu| lun| loon|unga|ungi)?)(?: \w+){0,2} ?(?:chaht|chahta|jaa? rah"
            r"|mann|man|soch|hai|hu|lunga|lungi)\w*",
            r"\b(?:jeena|jina|jeene|zinda rehna) (?:\w+ )?(?:nahi|nahin|nai|nhi) (?:\w+ )?(?:chaht|chah|hai mujhe)\w*",
            r"\b(?:jeene|jine) (?:ka|ki) (?:\w+ )?(?:mann|man|iccha|ichha) (?:nahi|nahin|nhi)",
            r"\b(?:khud ko|apne aap ko) (?:khatam|maar|mar)[^.!?\n]{0,12}(?:chaht|lunga|lungi|mann|dun|du)",
            r"\b(?:pati|papa|husband|bf) (?:\w+ )?(?:mujhe|mujhko|hume) (?:\w+ ){0,2}(?:maarta|marta|maarte|peetta|pitta|maar raha"
            r"|mar raha|peet raha) (?:hai|he|hain)",
        ),
        loose=(
            r"(?:मैं |मुझे |अब |बस )?(?:मरना|मर जाना) (?:\S+ )?(?:चाहत|है मुझे)",
            r"मुझे (?:\S+ )?(?:मरना|मर जाना) है",
            r"मर (?:जाऊं|जाऊ|जाने का मन)",
            r"\b(?:main|mai|me|mein|mujhe|bas|ab) (?:\w+ ){0,2}(?:marna|mar jana|mar jaana) (?:\w+ )?(?:chahta|chahti|chahata|hai"
            r"|chaahta)",
            r"\bmarne ka (?:mann|man) ",
        ),
        others=(
            r"(?:दोस्त|सहेली|बहन|भाई|मां|मम्मी|पापा|बेटा|बेटी|पत्नी|पति)[^।.!?\n]{0,50}(?:(?:आत्महत्या|खुदकुशी|सुसाइड) कर|मरना चाहत"
            r"|जीना नहीं चाहत|जान दे(?:ना|ने))",
            r"\b(?:dost|saheli|behen|bhai|friend|beti|beta|mummy|papa|wife|husband)\b[^.!?\n]{0,50}(?:(?:suicide|khudkushi) kar"
            r"|marna chaht|jeena nahi chaht)",
        ),
    ),
    "zh": _Phrases(
        stems="死|自杀|自殺|活|轻生|輕生|割腕|跳楼|跳樓|安眠药|安眠藥|打我|家暴|自残|自殘|自伤|强奸|強姦|生命|杀了我|殺了我|掐",
        plain=(
            r"我(?!们?(?:的)?(?:朋友|同学|同事|角色|主角))[^，。！？,.!?\n]{0,10}(?<!不)(?<!没)(?<!没有)(?:想|要|打算|准备|準備|决定"
            r"|決定)(?:过|去|着)?(?:自杀|自殺|轻生|輕生|跳楼|跳樓|割腕|上吊|了结自己|了結自己|结束(?:自己|我|这)?(?:的)?(?:生命|一生)"
            r"|結束(?:自己|我|這)?(?:的)?生命|自残|自殘)(?!小队|率|的(?:人|角色)|预防)",
            r"(?<!怎么)(?<!人)(?<!他)(?<!她)(?:真的|已经|都|就是|再也|也|我)?不想(?:再)?活(?:了|下去|着|在这)(?!.{0,4}(?:角色|台词))",
            r"(?:我)(?:真的|已经|實在|实在|快)?(?:活不下去|活不了)了?",
            r"我[^，。！？,.!?\n]{0,8}(?:割腕|割了手腕|自残|自殘|割自己|用刀划自己)(?:了|过|着)?(?!是什么)",
            r"我[^，。！？,.!?\n]{0,8}(?:吃|吞|喝)(?:下)?了(?:一整|整|一|半|很多|大量|好多|几十|\d\d)[^，。！？,.!?\n]{0,6}(?:安眠药"
            r"|安眠藥|药|藥|农药|農藥)",
            r"(?:我(?:老公|丈夫|爸|爸爸|父亲|男朋友|男友|前夫|继父|妈|哥)|他|她)(?:又|正|正在|现在|總是|总是|经常|每天|一直|喝醉就"
            r"|一喝酒就){0,2}(?:在)?(?:打我|家暴我|掐我|强奸我|強姦我|砍我|要杀我|要殺我|要杀了我|要殺了我|威胁要杀)(?!电话|的电话"
            r"|手机|小报告)",
            r"我(?:正|正在|一直|又|每天)?(?:在)?被(?:家暴|强奸|強姦|性侵|殴打|毆打|虐待)(?!过的人)",
            r"(?:怎么|怎麼|如何)(?:才能)?(?:无痛|無痛|不痛苦地?)(?:自杀|自殺|死去|死|离开这个世界)",
        ),
        loose=(
            r"我[^，。！？,.!?\n]{0,8}(?<!不)想(?:去)?死(?!你|我|机|機|吃|的心|在[^，。]{0,6}(?:家|怀))",
            r"(?:^|[，。！？,.!?\s])(?:真的|好|真|只|就)想(?:去)?死(?!你|我|机|機|的心)",
            r"(?:死了算了|不如死了|我死了(?:就好|更好))",
            r"没有我(?:大家|他们|她们)?(?:会|都会)?更好",
        ),
        others=(
            r"(?:我的?|有个|一个|^|[，。！？,.!?\s])(?:\w{0,3})?(?:朋友|同学|同學|闺蜜|妹妹|姐姐|弟弟|哥哥|妈妈|媽媽|爸爸|女儿|女兒"
            r"|儿子|兒子|老公|老婆|室友|同事|学生|學生|男朋友|女朋友)[^。！？.!?\n]{0,20}(?:想自杀|想自殺|要自杀|要自殺|想死|不想活"
            r"|想跳楼|想轻生|要跳楼|割腕|自残)",
        ),
    ),
    "ja": _Phrases(
        stems="死に|死の|死ん|自殺|消え|生き|リストカット|リスカ|オーバードーズ|薬|首|飛び降り|殴|殺|暴力|虐待|刃物",
        plain=(
            r"自殺(?:したい|しようと|するつもり|します|することを(?:考|決)|を(?:考えて(?:い|る|しま)|決め)|しそう)(?!.{0,3}(?:人|方"
            r"|キャラ|主人公|という(?:人|生徒|方)))",
            r"(?:もう|これ以上)?(?:生きていたくない|生きたくない|生きるのをやめたい|生きていけない)(?!.{0,3}(?:人|という人))",
            r"(?:私は|今日|今夜|今から|これから|もう|楽に|どうすれば)[^。！？\n]{0,8}(?:死にます|死のうと(?:思|し)|死ぬつもり|死ねます"
            r"|死のう)",
            r"(?:リストカット|リスカ|自傷)(?:を)?(?:して(?:しま|い|る)|しまし|した|がやめられ|してる|がとまら)",
            r"(?:手首|腕)を(?:切って|切りまし|切った|切りたい)",
            r"(?:首を吊(?:りたい|ろう|って死|るつもり)|飛び降り(?:たい|ようと|て死|るつもり)|電車に飛び込(?:みたい|もうと))",
            r"(?:薬|睡眠薬|錠剤|風邪薬)を(?:大量に|全部|たくさん|一瓶|\d\d錠)[^。！？\n]{0,6}(?:飲ん|飲み)",
            r"(?:オーバードーズ|OD|od)(?:を)?(?:しまし|してしま|した|しちゃ)",
            r"(?:夫|旦那|彼氏|父|父親|母|元夫|彼|息子|兄)(?:に|から)[^。！？\n]{0,12}(?:殴られ(?:て|る|ま|た)|暴力を(?:ふるわれ"
            r"|振るわれ|受けて)|首を絞められ|殺され(?:そう|る)|虐待され|レイプされ)",
        ),
        loose=(
            r"(?:^|もう|私|わたし|僕|俺|本当に|ほんとに|毎日|とにかく|ただ|ずっと|正直|[。、！\n])[^。！？\n]{0,10}死にたい(?!くらい"
            r"|ぐらい|ほど|と(?:言|い|訴|話)|人|わけでは|キャラ|という(?:人|方))",
            r"^死にたい(?!くらい|ぐらい|ほど|と(?:言|い)|人|という)",
            r"(?:消えて(?:しまいたい|なくなりたい)|この世から消えたい|死んでしまいたい|死んだ方がまし|死んだほうがまし"
            r"|いなくなってしまいたい)(?!くらい|ほど|という(?:人|歌))",
        ),
        others=(
            r"(?:友達|友人|親友|妹|弟|姉|兄|母|父|娘|息子|夫|妻|彼女|彼氏|同僚|生徒|クラスメート)[^。！？\n]{0,24}(?:死にたい"
            r"|自殺したい|自殺する|消えたい|生きていたくない|リストカットをし)(?:と(?:言|い|話|メール|送|LINE|繰)|って(?:言|い|LINE)"
            r"|ている|みたい)",
        ),
    ),
    "ko": _Phrases(
        stems="죽|자살|자해|살기 싫|살고 싶지|사라지|목을|뛰어내|수면제|때리|때려|때렸|폭행|성폭|칼|약을|목숨",
        plain=(
            r"자살(?:을)? ?(?:하고 ?싶(?:어|다|습|네|은데|고)|할 ?(?:거|게|생각|까|예정|려고)|하려고|하려(?:는 생각)?|시도했|생각(?:이"
            r"|을) (?:자꾸|계속|들|하|나)|충동이)(?!.{0,3}(?:사람|이들|학생들))",
            r"(?:더 ?이상 |이제 |정말 |진짜 )?(?:살고 ?싶지 ?않(?:아|다|습|네|은데)|살기 ?싫(?:어|다|습|네|은데))(?! ?(?:이 동네|서울"
            r"|여기))",
            r"(?:나|저|내가|제가)[^.!?\n]{0,12}(?:목숨을 끊|스스로 목숨|목을 매(?:고|려|달)|뛰어내리(?:고 ?싶|려고)|손목을 (?:그었|긋"
            r"|그어))",
            r"(?:목을 매(?:고 ?싶|려고|달고 ?싶)|뛰어내리고 ?싶(?:어|다|습)|손목을 (?:그었|그었어요|긋고 ?있)|자해(?:를)? ?(?:했"
            r"|하고 ?(?:있|싶)|해요|해버|하게 돼))",
            r"(?:수면제|약|타이레놀|알약)(?:을|를)? ?(?:한 ?통|다|전부|많이|한꺼번에|\d\d ?알)[^.!?\n]{0,8}(?:먹었|삼켰|털어)",
            r"(?:남편|아빠|아버지|남자친구|남친|엄마|전남편|오빠|새아빠|아들)(?:이|가|한테|에게)[^.!?\n]{0,14}(?:저를 때|나를 때"
            r"|때려요|때리고 ?있|때렸어|맞고 ?(?:있|살)|맞았어|목을 조|죽이겠다고|죽이려|성폭행)",
        ),
        loose=(
            r"죽고 ?싶(?:어|다|습니|네|은데|은 ?생각|고|은 ?마음|을 ?만큼 ?힘들)(?!.{0,3}(?:하는 사람|하는 친구|다는 사람))",
            r"(?:그냥 |이대로 )(?:사라지고|없어지고) ?싶(?:어|다|습|네)",
            r"(?:차라리 )(?:죽는 게|죽었으면)",
            r"내가 없(?:어지|으)면 (?:다들|모두)[^.!?\n]{0,6}(?:좋|편)",
        ),
        others=(
            r"(?:친구|동생|언니|누나|형|오빠|엄마|아빠|딸|아들|남편|아내|남자친구|여자친구|동료|학생|제자)(?:가|이|는"
            r"|은)?[^.!?\n]{0,24}(?:죽고 ?싶다|자살하겠다|자살하고 ?싶다|자살한다|살기 ?싫다|죽겠다|죽어버리겠다)(?:고|는 (?:문자|말"
            r"|메시지))",
        ),
    ),
}

# What excuses a sign, looked for around it.
_LAUGH = (
    r"\blo+l\b|\blmf?ao+|\brofl|\bhah|haha|hehe|\bjk\b|\bxd+\b|\bjaja|kkk|\bmdr\b|\bptdr\b|\brs{1,3}\b|ахах|хаха|ㅋㅋ|ㅎㅎ|哈哈|笑死"
    r"|\(笑\)|（笑）|笑$|www|[😂🤣😅😆😹💀]|laughing|from laughter|of laughter|embarrass|cringe|\bso cute|\btoo cute|funniest"
    r"|hilarious|just kidding|joking|\bironically\b|hyperbol|peinlich|geschmun|genant|verguenza ajena|que risa|de rire|dal ridere"
    r"|ze smiechu|со смеху|gulmekten"
)
_TRIFLE = (
    r"\b(?:bug|bugs|code ?base|compiler|compile|css|javascript|jira|typescript|merge conflicts?|yaml|regex|regexes|unit tests?"
    r"|build times?|excel|powerpoint|spreadsheet|printer|meetings?|stand-?ups?|homework|zoom call|outfit|traffic|mondays?|commute"
    r"|dad jokes?|puns?|wifi|wi-fi|autocorrect|playlist|this (?:song|movie|show|game|episode|meme|chapter|level|boss|puzzle|recipe"
    r"|syntax|ui|api|library|framework|textbook|worksheet|spicy)|season finale|haircut|segfault|php|java\b|docker|kubernetes"
    r"|hausaufgaben|mathe|montag|codigo|el codigo|lunes|devoirs|lundi|compiti|lunedi|huiswerk|maandag|prace domowa|poniedzial\w*"
    r"|домашк\w*|понедельник\w*|odev\w*|pazartesi)\b|작업|과제|月曜|周一|写代码|改代码|코딩"
)
_MACHINE = (
    r"\b(?:sig(?:term|kill|int)|os\.kill|getpid|pid|daemon|subprocess|process(?:es)?|thread|systemd|watchdog|executor|container|respawn\w*"
    r"|checkpoint|inventory|speedrun|npc|mobs?|xp|hit ?points|creeper|/kill|fortnite|minecraft server|raid boss|healer)\b"
)
_FICTION = (
    r"\b(?:write|writing|wrote|compose|draft|invent|create|make up|continue|finish|rewrite|tell|give me|generate|imagine|help me with"
    r"|working on|edit|proofread|need)\b[^.!?\n]{0,60}\b(?:story|stories|scene|poem|song|lyrics?|novel|chapter|character|monologue"
    r"|script|screenplay|play|dialogue|sonnet|fan ?fic\w*|tale|tragedy|villain|protagonist|ballad|opera|sketch|haiku|short film"
    r"|fiction|one-?act|verse|rap)\b|\b(?:story|novel|scene|poem|film|movie|book|play|song|chapter|series|episode|opera|game) (?:about"
    r"|in which|where|whose|with|when)\b|\b(?:my|the|a|main|this) (?:\w+ )?(?:character|protagonist|narrator|hero|heroine|villain)\b"
    r"|\b(?:schreib|erfinde|dichte|verfass)\w*\b[^.!?\n]{0,60}\b(?:geschichte|gedicht|szene|roman|kapitel|lied|marchen|monolog"
    r"|kurzgeschichte|figur)|\b(?:ecris|ecrire|invente|redige|raconte)\w*\b[^.!?\n]{0,60}\b(?:histoire|poeme|scene|roman|chapitre"
    r"|chanson|nouvelle|conte|monologue|personnage)|\b(?:escrib\w*|inventa\w*|redacta\w*|escrev\w*|cri[ae]|faz|scriv\w*|schrijf|bedenk"
    r"|napisz|wymysl\w*|ulo[zs]\w*)\b[^.!?\n]{0,60}\b(?:historia|cuento|poema|escena|cancion|novela|personaje|historia|conto|cena"
    r"|musica|romance|storia|racconto|scena|canzone|poesia|romanzo|personaggio|verhaal|gedicht|scene|lied|opowiadanie|wiersz|scene"
    r"|piosenke|historie|postac|bohater\w*)|(?:напиши|сочини|придумай)[^.!?\n]{0,60}(?:рассказ|историю|стих|сцену|песню|роман|монолог"
    r"|сказку)|(?:yaz|uydur)\w*|\b(?:hikaye|siir|sahne|roman|sarki)\w* [^.!?\n]{0,60}yaz|اكتب[^.!?\n؟]{0,60}(?:قصه|قصيده|مشهد|روايه)"
    r"|(?:कहानी|कविता|दृश्य|गीत)[^।.!?\n]{0,40}लिख|(?:写|寫|创作|编)[^。！？\n]{0,30}(?:故事|小说|小說|诗|詩|剧本|場景|场景|歌词|歌詞)"
    r"|(?:小説|物語|詩|場面|シーン|歌詞|脚本)[^。！？\n]{0,40}(?:書|作)|(?:소설|이야기|시|장면|가사|대본)[^.!?\n]{0,40}(?:써|쓰|지어)"
)
_TEXTUAL = (
    r"\b(?:translat\w*|lyrics?|lines?|song|quote|quoted|sentence|phrase|proofread|grammar|mean|means|meaning|correct|spell|scene"
    r"|character|says|said|whispers|shouts|sings|poem|novel|movie|film|title|titled|called|book|album|track|band|tweet|meme|headline"
    r"|regex|classif\w*|label|keyword|dataset|string|prompt|ubersetz\w*|satz|liedtext|heisst|traduis|traduire|traduc\w*|phrase|paroles"
    r"|frase|letra|traduz\w*|tradu\w*|canzone|vertaal|zin|przetlumacz|zdanie|переведи|фраза|строчк\w*|cevir|cumle|ترجم|معني|अनुवाद"
    r"|翻译|翻譯|歌词|訳|意味|번역|뜻)\b|翻译|翻譯|歌词|台词|訳し|意味|번역|무슨 뜻"
)
_DENIED = (
    r"(?<!\w)(?:no|nao|non|niet|nie|nicht|nunca|не|никогда|لا|لم|لن|नहीं)\s{1,3}$"
    r"|\b(?:never said|didnt say|dont think|used to think|used to say|not saying|doesnt mean|not that|no one said)(?: that)?\s{1,3}$"
)
_TRANSLATE = (
    r"\b(?:translat\w*|ubersetz\w*|uebersetz\w*|tradui\w*|traduc\w*|traduz\w*|vertaal\w*|przetlumacz\w*|переведи\w*|cevir\w*)\b"
    r"[^.!?;:\n]{0,60}[:：]\s{0,4}[\"'“„«]?$"
)
_ENGLISH = r"i(?:m|ll|d|ve)?\b"
_OPEN, _SHUT = '"“„«‹「『‘', '"”“»›」』’'

_LINE = 400
"""Characters of a line that tell whether a machine wrote it."""
_LEVEL = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|FATAL|CRITICAL)"
_LOGGED = re.compile(rf"\b{_LEVEL}\b|\b(?:level|lvl|severity)\b|\w\[\d{{1,7}}\]:|^\s*\{{\"")
"""What a log has and a chat has not, though both have times: levels, process numbers, fields."""
_LOG_LINE = re.compile(rf"[^A-Za-z\n]{{0,60}}{_LEVEL}[\])>]?:? {{1,8}}[\[(]?[\w.$/-]{{1,80}}(?:\[\d{{1,7}}\])?[\])]?: \S")
"""A line of a log alone in a prompt: "ERROR Worker: ...", perhaps behind a time."""
_WORDS = re.compile(r"\s{0,3}[\"'“„]?[^\W\d_][\w\s'’`,;.!?…\"“”-]*")
"""A line without any mark of code or of a log."""

_JOINED = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "ى": "ي", "ة": "ه", "ـ": "", "ँ": "ं", "़": "", "đ": "d"})
_MARKS = re.compile("[\u0300-\u036f\u064b-\u0655\u0670]")
_PIECES = re.compile(
    "([\t\n\r -&(-_a-~]+|[\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\u3041-\u3096\u30a1-\u30fa]+(?![\u3099\u309a]))"  # lower case is enough
    "|(['`\u2018\u2019\u02bc\u00b4\u2032\uff07])"  # an apostrophe
    "|(.[\u0300-\u036f\u0591-\u05bd\u064b-\u0655\u0670\u093c\u3099\u309a\u1160-\u11ff]{0,8})",  # anything else with what is joined to it
    re.DOTALL,
)


@lru_cache(maxsize=4096)
def _folded(cluster: str) -> str:
    """One character with its marks: compatible form, lower case, without accents; nothing for a control or invisible character."""
    if unicodedata.category(cluster[0]) in {"Cc", "Cf"}:
        return " " if cluster[0].isspace() else ""
    flat = _MARKS.sub("", unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", cluster).casefold()))
    return unicodedata.normalize("NFC", flat.translate(_JOINED))


def _fold(text: str) -> tuple[str, list[int]]:
    """The text as the phrases are written, and for each of its characters where it came from. An apostrophe inside a word is left out."""
    parts: list[str] = []
    origins: list[int] = []
    for piece in _PIECES.finditer(text):
        start, end = piece.span()
        if piece.group(1) is not None:
            parts.append(piece.group(1).lower())
            origins.extend(range(start, end))
            continue
        if piece.group(2) is not None:
            inside = start > 0 and text[start - 1].isalpha() and end < len(text) and text[end].isalpha()
            folded = "" if inside else '"'
        else:
            folded = _folded(piece.group(3))
        parts.append(folded)
        origins.extend([start] * len(folded))
    return "".join(parts), origins


def _compile(phrases: tuple[str, ...]) -> re.Pattern[str] | None:
    """One expression for all of them: each white space short and bounded, so that the search stays linear in the text."""
    if not phrases:
        return None
    return re.compile("|".join(f"(?:{_fold(phrase)[0]})" for phrase in phrases).replace(" ?", r"[\s,]{0,4}").replace(" ", r"[\s,]{1,4}"))


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], Mapping[str, re.Pattern[str]]], ...]:
    """For each language what must be there at all, and the expressions by how strict they are. Built at the first call."""
    made = []
    for phrases in _PHRASES.values():
        sorts = {"plain": phrases.plain, "loose": phrases.loose, "others": phrases.others}
        patterns = {sort: pattern for sort, given in sorts.items() if (pattern := _compile(given)) is not None}
        made.append((re.compile(_fold(phrases.stems)[0]), patterns))
    return tuple(made)


@cache
def _excuse(source: str) -> re.Pattern[str]:
    """A compiled excuse, folded as the text is."""
    return re.compile(_fold(source)[0])


def _quoted(before: str, after: str) -> bool:
    """Whether a passage stands in quotation marks: one opens before it in its line and one closes behind."""
    opening = max((before.rfind(mark) for mark in _OPEN), default=-1)
    closing = max((before.rfind(mark) for mark in _SHUT if mark not in _OPEN), default=-1)
    return opening > closing and "\n" not in before[opening:] and any(mark in after for mark in _SHUT)


def _excused(sort: str, folded: str, start: int, end: int) -> bool:
    """Whether the words around a sign say that it is none: a denial, a jest, a machine, a piece of fiction, somebody else's sentence."""
    before, sign, after = folded[max(0, start - _BEFORE) : start], folded[start:end], folded[end : end + _AFTER]
    sentence = re.split(r"[.!?;\n。！？।؟]", before)[-1] + sign + re.split(r"[.!?\n。！？।؟]", after, maxsplit=1)[0]
    denied = _excuse(_DENIED).search(before[-40:])
    # "no i want to die" denies nothing: English has its "not" inside the clause, where the phrases themselves leave no room for it
    if sort != "others" and denied is not None and (" " in denied[0].strip() or re.match(_ENGLISH, sign) is None):
        return True
    if _excuse(_MACHINE).search(sentence):
        return True
    if _quoted(before, after) and _excuse(_TEXTUAL).search(before + after):
        return True
    # "Translate to German: I want to die", and not a word of the writer's own behind it
    if _excuse(_TRANSLATE).search(before) and re.fullmatch(r"[^.!?\n]{0,60}[.!?\"'”»]{0,3}\s{0,20}", folded[end : end + _BEFORE]):
        return True
    fiction = _excuse(_FICTION).search(before + sign) is not None
    if sort == "others":
        return fiction
    if sort == "loose":
        return (_excuse(_LAUGH).search(sentence + after[:40]) or _excuse(_TRIFLE).search(sentence)) is not None
    return False


def _signs(folded: str) -> Iterator[tuple[int, int]]:
    """The first sign of each sort and language that nothing excuses."""
    for needed, patterns in _compiled():
        if needed.search(folded) is None:
            continue
        for sort, pattern in patterns.items():
            for found in pattern.finditer(folded):
                if not _excused(sort, folded, *found.span()):
                    yield found.span()
                    break


def _without_machines(text: str) -> str:
    """The text with the lines of logs, traces and code blanked, each as long as it was.

    A line of plain words is never blanked: poems end in semicolons, and people write between two pastes. Neither are stamped lines in which
    nothing else tells of a machine: those may be a chat.
    """
    lines = text.split("\n")
    found = material(text)
    skipped = frozenset[str]()
    if found is not None and found.shape != "document" and found.shape != "table":
        chat = found.shape == "log" and not any(_LOGGED.search(line[:_LINE]) for line in found.lines)
        skipped = frozenset() if chat else frozenset(found.lines)
    kept = (
        line if _WORDS.fullmatch(line) or not (line.removesuffix("\r") in skipped or _LOG_LINE.match(line[:_LINE])) else " " * len(line)
        for line in lines
    )
    return "\n".join(kept)


def signs_of_crisis(text: str) -> str | None:
    """The words in a prompt which say that the writer, or someone with them, is in danger of life.

    Suicide, self-harm, an overdose that was taken, violence at this moment and abuse that goes on; in Arabic, Chinese, Dutch, English,
    French, German, Hindi (also in Latin letters), Italian, Japanese, Korean, Polish, Portuguese, Russian, Spanish and Turkish. The first
    person with an intent or an act decides, or somebody near the writer. Figures of speech, facts and news, requests for fiction, a
    sentence to be translated, and logs, traces and code (`wager.grading.material`) are passed over.

    Args:
        text: a prompt of any length and content; case, accents, apostrophes and invisible characters make no difference.

    Returns:
        The earliest sign as it stands in ``text``, at most `LONGEST` characters; None without one.

    It is a list of phrases, no diagnosis, and no substitute for one. It misses what is only hinted at, what is said in words that are not
    on the list or in another language, and danger of any other sort; it fires on some who only quote or exaggerate. None does not mean
    that nobody is in danger. Time is linear in the length of the text: every gap between words is bounded.

    >>> signs_of_crisis("Sorry to bother you. I want to kill myself tonight")
    'I want to kill myself'
    >>> signs_of_crisis("kill -9 does not kill the child process") is None
    True
    """
    folded, origins = _fold(_without_machines(text))
    first = min(_signs(folded), default=None)
    if first is None:
        return None
    start, end = first
    stop = origins[end] if end < len(origins) else len(text)
    return text[origins[start] : min(stop, origins[start] + LONGEST)].strip()
