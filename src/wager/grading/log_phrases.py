"""What a line of a log says when something failed, and when nothing did: the patterns that `wager.grading.log_lines` reads lines with.

In: the first thousand characters of one line. Each pattern's repetitions are bounded, so that reading stays linear. They were written
from real output of Spark, Hadoop, log4j, syslog, Kubernetes, JSON loggers, Python, Java, JavaScript, pytest, Maven, npm, make and gcc;
a new wording goes here, with a case in the tests.
"""

import re

WORTH = (
    *("err", "fail", "excep", "fatal", "lost", "kill", "oom", "memory", "timed", "exit", "abort", "panic", "denied", "refused"),
    *("seg", "unable", "cannot", "could not", "can't", "not found", "no such", "undefined", "crash", "traceback", "caused by"),
    *("core dump", "back-off", "backoff", "imagepull", "evict", "non-zero", "nonzero", '" 5', "no route", "reset", "terminated"),
    *("thread '", "uncaught", "unhandled", "interrupt", "violation", "not ok", "ora-", "died", "*** "),
)
"""In small letters: what every pattern below needs one of. A line without any is passed over cheaply."""

NOTHING = re.compile(
    r"\b(?:0|zero|no|none|without(?: any)?|not any|never) (?:[\w-]+ ){0,2}?(?:errors?|failures?|failed|fails?|exceptions?|timeouts?"
    r"|timed out|crash(?:es|ed)?"
    r"|problems?|lost|killed)\b"
    r"|\b[\w-]{0,30}(?:errors?|fail(?:ed|ures?)?|exceptions?|timeouts?|lost|killed|aborted)(?:[ _-]?(?:counts?|rates?|total|tests?"
    r"|tasks?))?[\"']?\s{0,2}(?:[=:]|is|was|of)?\s{0,2}"
    r"[\"']?(?:0+(?:\.0+)?(?![\d.]\d|\d)(?: ?%)?|none|null|nil|false|no\b|\[\]|\{\}|\"\"|''|n/a)"
    r"|\b(?:did|do|does|has|have|had|was|were|is|are)(?:n't| not) (?:\w+ )?(?:fail|failed|lost|killed|timed out|crash|crashed|abort"
    r"|aborted)\b"
    r"|\b(?:if|when|unless|in case|until|before|on|after|upon|any|for|possible|allowed|max(?:imum)?|ignoring|handl\w+|retry\w*"
    r"|recover\w*) (?:\w+ ){0,3}?"
    r"(?:fails?|failures?|errors?|exceptions?|timeouts?)\b"
    r"|\b(?:failures?|errors?|exceptions?|timeouts?)[ _-]?(?:threshold|limit|handl\w+|handler|listener|policy|injection|detector"
    r"|domain|tolerance|page|log|rate|over)\b"
    r"|\bfail[ _-]?(?:over|fast|safe|back)\w*|\bexit(?:ed)?(?: with)?(?: (?:status|code))?[ :=]{1,3}0\b",
    re.I,
)
"""Says that nothing failed, or speaks of failing in general; blanked before a line is read."""

THROWN = re.compile(
    r"\s{0,8}(?:E {2,8}|Caused by: |Exception in thread \"[^\"]{0,120}\" |Uncaught (?:\(in promise\) )?|Unhandled (?:exception"
    r"|rejection):? ?|thread '[^']{0,80}' panicked"
    r"|panic: |Error: )?(?:[\w$]{1,60}[./]){0,14}[A-Za-z]?\w{0,80}(?:Error|Exception|Interrupt|Violation)(?:: \S|:?\s*$| \[)"
    r"|Exception in thread |Caused by: \S|thread '[^']{0,80}' panicked|panic: |Uncaught \S|fatal error: "
    r"|Traceback \(most recent call last\)"
)
"""At the beginning of a line."""

LOUD = re.compile(
    r"\bBUILD (?:FAILURE|FAILED)\b|\bLost (?:task|executor|node|worker)\b|\bExecutorLostFailure\b|\bFetchFailed\b|\bstatus ?: ?FAILED\b"
    r"|\bfinal (?:app )?status: ?(?:FAILED|KILLED)\b"
    r"|\b(?:job|stage|application|query|build|pipeline|attempt|task) ?[\w.:()/-]{0,80} (?:has )?failed (?:with|in|due|\d+ times|:)"
    r"|\b(?:job|stage) (?:\w+ )?aborted\b"
    r"|\bkilled by (?:yarn|the kernel|signal|external signal|oom)|\bbeyond (?:physical|virtual|the)? ?\w* ?memory limits?\b"
    r"|\bfor exceeding memory limits?\b"
    r"|\bout of memory\b(?! error handler)|\boom-?kill|\bOOMKilled\b|\bCrashLoopBackOff\b|\b(?:ImagePullBackOff|ErrImagePull)\b"
    r"|\bBack-off restarting failed\b"
    r"|\bexit(?:ed)?(?:[ _]?with)?(?:[ _]?(?:status|code|value))?(?: of)?[\"']?[ :=]{1,3}[\"']?[1-9]\d{0,9}\b|\bnon-?zero exit\b"
    r"|\breturned non-zero\b"
    r"|\bsegfault at\b|\bsegmentation fault\b|\bcore dumped\b|\bkernel panic\b",
    re.I,
)
"""Counts whatever the level is below ERROR, but for what INFO says in passing."""

THROWS = re.compile(r": (?:[a-z][\w$]{0,40}\.){1,12}[A-Z]\w{0,80}(?:Error|Exception)\b|(?:^|: )[A-Z]\w{0,60}(?:Error|Exception): ")
"""A warning that carries an exception."""

PLAIN = re.compile(
    r"(?:^|[\s:\]])(?:fatal )?error(?:\[\w{1,12}\]| [A-Z]{1,4}\d{2,6})?: \S|^\s{0,4}(?-i:ERROR|FATAL|FAILED|FAIL|FAILURE)\b|^fatal: \S"
    r"|\b(?-i:FAILED|FAILURE|FATAL)\b(?![_.=])"
    r"|\bORA-\d{5}: |(?<![\w./-])failed\b(?!\(|(?:[\"']?\s{0,2}[=:]|[_.]))|\bfailed: (?:[1-9]|\D)|\b[1-9]\d{0,8} (?:failed|failures?"
    r"|errors?)\b"
    r"|(?<![.\w])(?:failures?|errors?|failed)[=:] ?[1-9]"
    r"|\bundefined reference\b|\bcommand not found\b|\bno such file or directory\b|\bpermission denied\b|\b(?:connection"
    r"|access) (?:was )?(?:refused|denied|reset|timed out)\b"
    r"|\btimed out\b|\bunable to\b|\bcould not\b|\bcannot (?:find|open|connect|allocate|resolve|read|write|access|load|create)\b"
    r"|\bnpm ERR!|\" 5\d\d (?:\d|-)"
    r"|\bmake(?:\[\d+\])?: \*\*\*|^\s{0,4}(?:Killed|Aborted|Terminated)\b|\bKilled process \d|\bno route to host\b|\bEvicted\b"
    r"|\bnot ok \d"
    r"|\b(?:job|process|container|server|service|pod|worker|task|driver|program|application)\b[^.]{0,40} (?:crashed|was killed"
    r"|has died|died|aborted)\b",
    re.I,
)
"""Said by a line without a level of its own."""

ERROR_FIELD = re.compile(r"[\"'](?:error|exception|err|stack_?trace)[\"']\s{0,2}:\s{0,2}(?:[\"'{][^\"'}])", re.I)
FRAME = re.compile(
    r"\s+at \S|\s*at [\w$.<>/]{1,300}\(|\s*\.\.\. \d{1,6} (?:more|common)|\s+File \"|\s{2,}\S|\t|\s*[~^]{2,}|\s*Suppressed: "
    r"|\s*--- End|\s*#\d{1,4}\s+0x|>\s|E {2,8}|Caused by: "
)
CLOSES = re.compile(r"(?:[\w$]{1,60}\.){0,12}[A-Za-z_]\w{0,80}(?::|\s*$)")
TRACEBACK = re.compile(r"\s{0,12}Traceback \(most recent call last\)")
PACKAGED = re.compile(r"(?:[a-z][\w$]{0,40}\.){1,14}[A-Z]\w{0,80}(?:Error|Exception)\b")
"""An exception of the JVM; right under an INFO line it was logged in passing."""
