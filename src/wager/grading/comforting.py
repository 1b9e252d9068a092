"""What is said to someone who tells of a trouble, by language: the tables of `wager.grading.support`.

A language has a reflection that fits any trouble, an open question, its words for feelings, and stop words by which it is told. The
sentences promise nothing, advise nothing and state no fact. A new language goes into every table.
"""

import re

__all__ = ["FEELINGS", "LANGUAGES", "QUESTIONS", "REFLECTIONS", "STOP_WORDS"]

REFLECTIONS = {
    "en": "That sounds hard, and thank you for telling me.",
    "de": "Das klingt schwer, und danke, dass du es mir erzählst.",
    "fr": "Cela a l'air difficile, et merci de me le dire.",
    "es": "Suena difícil, y gracias por contármelo.",
    "it": "Sembra difficile, e grazie per avermelo detto.",
    "pt": "Parece difícil, e obrigado por me contar.",
    "nl": "Dat klinkt zwaar, en dank je dat je het me vertelt.",
    "pl": "To brzmi ciężko i dziękuję, że mi o tym mówisz.",
    "tr": "Bu zor görünüyor, bana anlattığın için teşekkür ederim.",
    "ru": "Это звучит тяжело, и спасибо, что рассказываешь мне об этом.",
    "ar": "يبدو هذا صعبًا، وشكرًا لأنك أخبرتني.",
    "hi": "यह कठिन लगता है, और मुझे बताने के लिए धन्यवाद।",
    "zh": "听起来很不容易，谢谢你告诉我。",
    "ja": "それはつらいですね。話してくれてありがとう。",
    "ko": "많이 힘드셨겠어요. 이야기해 주셔서 고마워요.",
}
"""A plain sentence that hears what was told."""

QUESTIONS = {
    "en": "What is it like for you right now?",
    "de": "Wie geht es dir gerade damit?",
    "fr": "Comment le vis-tu en ce moment ?",
    "es": "¿Cómo lo estás viviendo ahora mismo?",
    "it": "Come ti senti in questo momento?",
    "pt": "Como é que isto está a ser para ti agora?",
    "nl": "Hoe is het nu voor je?",
    "pl": "Jak się z tym teraz czujesz?",
    "tr": "Şu anda bu senin için nasıl?",
    "ru": "Каково тебе сейчас?",
    "ar": "كيف تشعر حيال ذلك الآن؟",
    "hi": "अभी आपको कैसा लग रहा है?",
    "zh": "你现在感觉怎么样？",
    "ja": "今、どんなお気持ちですか？",
    "ko": "지금은 마음이 어떠세요?",
}
"""One open question."""

LANGUAGES = tuple(REFLECTIONS)
"""Codes of the languages."""

FEELINGS = re.compile(
    r"\b(?:sad|sadness|afraid|anxious|anxiety|worried|worry|angry|anger|hurt|hurts|hurting|pain|painful|lonely|loneliness|alone|grief"
    r"|griev\w+|loss|exhaust\w+|tired|overwhelm\w+"
    r"|frustrat\w+|hopeless|helpless|ashamed|shame|guilt\w*|scared|frighten\w+|heartbr\w+|stress\w*|upset|disappoint\w+|hard|difficult"
    r"|tough|heavy|rough|weigh\w*|miss\w* (?:him|her|them)"
    r"|feel(?:s|ing|ings)?|felt|confus\w+|stuck|numb|nervous|jealous|betray\w+|reject\w+|traurig|angst|schwer|wütend|allein|einsam"
    r"|erschöpft|müde|verzweifelt|fühl\w*|klingt|triste"
    r"|peur|difficile|seule?|fatigué\w*|colère|douleur|sento|senti\w*|sinto|ressen\w+|dur|miedo|difícil|solo|sola|cansad[oa]|dolor|siento"
    r"|sientes|duro|paura|stanc[oa]|medo|sozinh[oa]|dor"
    r"|verdrietig|zwaar|moe|voel\w*|smutn\w+|boisz|ciężk\w+|trudn\w+|czuj\w+|üzgün|zor|korku\w*|yorgun|hissed\w+)\b"
    r"|груст\w*|тяжел\w*|тяжк\w*|страш\w*|больно|одинок\w*|уста\w+|чувств\w*|трудно|حزين|صعب|خائف|تعب|وحيد|تشعر|مؤلم|दुख|कठिन|डर|अकेल"
    r"|थक|महसूस|मुश्किल"
    r"|难过|伤心|害怕|孤单|孤独|累|痛苦|不容易|难受|焦虑|感觉|感受|つら|辛|悲し|怖|寂し|疲れ|不安|苦し|気持ち|힘드|힘들|슬프|슬픔|무섭"
    r"|외로|지치|불안|괴로|마음",
    re.I,
)
"""A word for a feeling or for how hard something is."""

STOP_WORDS = {
    name: frozenset(words.split())
    for name, words in {
        "en": "am and but don't feel have i is it me my not of so that the to was what you",
        "de": (
            "aber auch bin das der die es habe ich ist mein meine mich mir nicht so und weiß wie zu will sterben leben mehr nichts kann"
        ),
        "fr": ("ai avec dans est et je la le les ma mais me mes mon ne pas plus que suis une veux mourir vivre rien vie envie moi"),
        "es": (
            "como con el es estoy la los me mi muy no pero por que se siento tengo una y yo quiero morirme morir "
            "vivir mí conmigo nada más hoy soy vida ya él ella porque hacer puedo"
        ),
        "it": (
            "che con di e gli ho il io la ma mi mia mio molto non per sento sono una è voglio morire uccidermi "
            "vivere più niente oggi sto vita perché faccio posso ti"
        ),
        "pt": (
            "a com da do e estou eu mas me meu minha muito não o por que sinto tenho uma é quero matar morrer "
            "viver mais nada hoje sou vida porque fazer posso"
        ),
        "nl": ("ben dat de een en er heb het ik is maar me met mijn niet ook van voel wat zo wil dood leven meer niets kan"),
        "pl": "ale bardzo co czuję i ja jak jest jestem mam mnie moja mój na nie się to w z że",
        "tr": "ama bana ben beni benim bir bu da de değil gibi hissediyorum ile için kadar ne var ve yok çok",
    }.items()
}
"""Frequent words of the languages that share a script."""
