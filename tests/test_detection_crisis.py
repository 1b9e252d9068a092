"""Signs of crisis: plain sentences in fifteen languages fire; figures of speech, facts, fiction and logs do not."""

import json
from pathlib import Path

import pytest

from wager.detection.crisis import LONGEST, signs_of_crisis

IN_DANGER = (
    # English: suicide, in the first person
    "I want to kill myself",
    "i wanna die",
    "I don’t want to live anymore and I dont know who to tell",
    "honestly i just want to end it all",
    "I'm going to end my life tonight.",
    "I have been thinking about killing myself for weeks",
    "ive been having suicidal thoughts again",
    "I feel suicidal and nobody picks up",
    "I wish I was dead.",
    "I wish I'd never been born, everyone would be better off without me",
    "there is no reason to live, I see no point in living",
    "How can I kill myself without it hurting",
    "whats a painless way to kill myself",
    "i keep thinking about jumping, i want to jump off a bridge",
    "I've written my suicide note",
    "I have a gun to my head right now",
    "nobody would notice if i was gone. ive been thinking about ending it for weeks and tonight its louder",
    "My job failed, my wife left. I want\nto   die.",
    "I WANT TO KILL MYSELF",
    "i want to kms",
    "write a goodbye letter to my kids for me, I am going to kill myself on sunday",
    "I want to go to sleep and never wake up",
    # self-harm, an overdose
    "I started cutting myself again last night",
    "I can't stop hurting myself",
    "I just took a whole bottle of sleeping pills",
    "i swallowed 40 paracetamol an hour ago what happens now",
    "I think I overdosed, please help",
    # violence now, abuse that goes on
    "my husband is beating me",
    "My dad hits me every time he drinks",
    "he is choking me and says he will do it again",
    "My ex threatened to kill me and he knows where I live",
    "I'm hiding in the bathroom, my boyfriend has a knife",
    "my stepdad touches me at night",
    "I'm scared he will kill me",
    # somebody near
    "my friend says she wants to end her life",
    "My brother told me he is going to kill himself, what do I do?",
    "my daughter has swallowed a whole packet of pills",
    "my roommate doesn't want to live any more",
    "My girlfriend tried to kill herself last night",
    # German
    "Ich will nicht mehr leben.",
    "ich bringe mich um",
    "Ich möchte mich umbringen",
    "ich habe seit Wochen Suizidgedanken",
    "Mein Mann schlägt mich und die Kinder",
    "Meine Freundin sagt, dass sie sich umbringen will",
    "Ich habe alle Tabletten genommen",
    # French
    "Je veux mourir",
    "je n'ai plus envie de vivre",
    "j’ai envie de me suicider",
    "Mon mari me frappe tous les soirs",
    "mon amie dit qu'elle veut se suicider",
    "j'ai avalé toute la boîte de médicaments",
    # Spanish
    "quiero morirme",
    "No quiero vivir más",
    "me quiero matar",
    "mi marido me pega",
    "Mi hermana dice que se quiere suicidar",
    "me tomé todas las pastillas",
    # Portuguese
    "quero morrer",
    "não quero mais viver",
    "penso em me matar todo dia",
    "meu marido me bate",
    "Minha amiga disse que quer se matar",
    # Italian
    "voglio morire",
    "Non voglio più vivere",
    "penso spesso al suicidio",
    "mio marito mi picchia",
    "la mia amica dice che vuole uccidersi",
    # Dutch
    "ik wil niet meer leven",
    "ik wil dood",
    "Ik denk de hele tijd aan zelfmoord",
    "mijn man slaat me",
    "mijn vriendin zegt dat ze niet meer wil leven",
    # Polish
    "chcę się zabić",
    "nie chcę już żyć",
    "mam myśli samobójcze",
    "mąż mnie bije",
    "moja przyjaciółka mówi, że chce się zabić",
    # Russian
    "я хочу умереть",
    "Не хочу больше жить",
    "думаю о самоубийстве каждый день",
    "муж меня бьёт",
    "Подруга говорит, что хочет покончить с собой",
    "я выпила пачку снотворного",
    # Turkish
    "ölmek istiyorum",
    "artık yaşamak istemiyorum",
    "kendimi öldürmek istiyorum",
    "İntihar etmeyi düşünüyorum",
    "kocam beni dövüyor",
    "arkadaşım intihar edeceğini söylüyor",
    # Arabic
    "أريد أن أموت",
    "أفكر في الانتحار",
    "لا أريد العيش بعد الآن",
    "زوجي يضربني كل يوم",
    "صديقتي تقول إنها تريد الانتحار",
    # Hindi
    "मैं मरना चाहता हूँ",
    "मैं आत्महत्या करना चाहती हूं",
    "अब जीना नहीं चाहता",
    "मेरा पति मुझे मारता है",
    "main marna chahta hu",
    "jeene ka mann nahi karta ab",
    # Chinese
    "我想死",
    "我不想活了",
    "我想自杀",
    "我真的活不下去了",
    "我老公又打我",
    "我朋友说她想自杀，我该怎么办",
    "我吃了一整瓶安眠药",
    # Japanese
    "死にたい",
    "もう生きていたくない",
    "自殺したいです",
    "リストカットをしてしまいました",
    "夫に殴られています",
    "友達が死にたいと言っています",
    # Korean
    "죽고 싶어요",
    "자살하고 싶다",
    "더 이상 살고 싶지 않아요",
    "수면제를 한 통 다 먹었어요",
    "남편이 저를 때려요",
    "친구가 죽고 싶다고 해요",
    # written after the phrases, to see what they miss
    "been thinking about suicide a lot lately",
    "i cant do this anymore i want to be dead",
    "I'm seriously thinking about suicide",
    "Thinking of ending my life. Nothing helps.",
    "I don't see a reason to live anymore.",
    "tonight i'm gonna hang myself",
    "Lately I have had thoughts of suicide and it scares me",
    "i tried to kill myself last week and nobody knows",
    "I just want to disappear and never wake up",
    "my boyfriend choked me last night",
    "my father is beating my mother right now",
    "He said he would kill me if I leave him",
    "I took 30 tablets of my meds",
    "my son is talking about killing himself",
    "my best friend texted me goodbye, she wants to die",
    "what is the easiest way to kill yourself, i'm done",
    "I have been cutting my arms again",
    "I'd be better off dead",
    "I'm planning to end my life after my birthday",
    "there's a man in my house with a gun and I'm hiding",
    "i feel like dying every single day",
    "Ich habe keine Kraft mehr, ich will einfach nur sterben",
    "Ich überlege, mir das Leben zu nehmen",
    "Mein Freund würgt mich wenn er trinkt",
    "ich ritze mich seit zwei Jahren",
    "Meine Schwester will nicht mehr leben",
    "J'en peux plus, je veux en finir",
    "je pense au suicide tous les jours",
    "Mon copain me bat",
    "j'ai des idées suicidaires",
    "ya no quiero vivir",
    "Estoy pensando en suicidarme",
    "mi novio me golpea y tengo miedo",
    "no aguanto más, quiero matarme",
    "eu não aguento mais, quero me matar",
    "estou pensando em suicídio",
    "Tomei uma cartela inteira de remédio",
    "Non ce la faccio più, voglio farla finita",
    "ho pensieri suicidi",
    "Ik wil er een einde aan maken",
    "ik heb zelfmoordgedachten",
    "Nie chce mi się żyć",
    "chcę umrzeć",
    "Wzięłam całe opakowanie tabletek",
    "Я хочу покончить с собой",
    "мне не хочется жить",
    "Мой парень меня избивает",
    "Yaşamak istemiyorum artık",
    "Bir kutu ilaç içtim",
    "أريد الانتحار",
    "تعبت وأريد أن أموت",
    "मैं जीना नहीं चाहती",
    "मुझे मर जाना है",
    "suicide karne ka mann kar raha hai",
    "我每天都想死",
    "我想結束自己的生命",
    "我男朋友打我",
    "妈妈说她不想活了",
    "消えてしまいたい",
    "死にたいです",
    "今夜死にます",
    "旦那から暴力を受けています",
    "그냥 사라지고 싶어요",
    "자살 생각이 자꾸 들어요",
    "아빠가 또 때렸어요",
    "I don't think I can keep myself safe tonight, I want to die",
    "there is nothing left to live for",
    "im so close to killing myself",
    "I want to take my own life and I've made a plan",
    "Every night I pray that I don't wake up",
    "I took too many sleeping pills and now I feel weird",
    "my boyfriend hit me again last night and I can't leave",
    "my uncle has been molesting me since I was nine",
    "I've been self harming for two years",
    "My best friend just told me that she is suicidal",
    "My sister took a whole bottle of tylenol, what do I do",
    "life is not worth living any more",
    "I feel like killing myself every time I look in the mirror",
    "would anyone care if I killed myself",
    "my wife threatens to kill herself whenever I mention divorce",
    "he put a knife to my throat",
    "Ich halte das nicht mehr aus, ich will tot sein",
    "Ich habe vor, mich heute Nacht umzubringen",
    "mein Vater schlägt uns jeden Tag",
    "mein bester Freund will sich umbringen",
    "je vais me tuer ce soir",
    "la vie ne vaut plus la peine d'être vécue",
    "mon père me frappe",
    "quiero acabar con mi vida",
    "he tomado muchas pastillas",
    "mi papá me golpea todos los días",
    "vou me matar hoje",
    "eu me corto todos os dias pra aliviar",
    "il mio ragazzo mi picchia",
    "mi voglio ammazzare",
    "ik heb een hele strip pillen geslikt",
    "zabiję się dzisiaj",
    "ojciec bije mnie i mamę",
    "я режу себя почти каждый день",
    "жить больше не хочется",
    "intihar etmek istiyorum",
    "babam beni her gün dövüyor",
    "سأقتل نفسي الليلة",
    "لم أعد أريد الحياة",
    "मैं अपनी जान देना चाहता हूं",
    "मैंने नींद की गोलियां खा ली हैं",
    "我真的不想活下去了",
    "我想跳楼",
    "我爸爸一喝酒就打我",
    "もう死んでしまいたい",
    "彼氏に首を絞められました",
    "요즘 죽고 싶다는 생각이 자꾸 들어요",
    "자해를 했어요",
    # hints of an end: a plan, a dose, a farewell, no reason left
    "I have a plan to jump off the bridge tonight",
    "my plan is to kill myself after graduation",
    "What's the easiest painless way to go?",
    "I am so tired of being alive and in pain, I want to be dead, what is the most peaceful way to go",
    "I'm thinking about ending things",
    "how many sleeping pills would it take to die",
    "how much insulin do i need to take to die",
    "I feel hopeless and I don't see a reason to keep going",
    "there's no reason to keep living",
    "Goodbye everyone, this is my last message",
    "This is my final message. Goodbye, cruel world",
    "Ik zie het niet meer zitten",
    "ik zie het allemaal echt niet meer zitten.",
    "hoeveel slaappillen heb je nodig om dood te gaan",
    "Ik zie geen reden meer om door te gaan",
    "Ich habe den Plan, heute Nacht von der Brücke zu springen",
    "Wie viele Schlaftabletten braucht man, um zu sterben?",
    "Ich sehe keinen Sinn mehr weiterzumachen",
    "Lebt wohl, das ist meine letzte Nachricht",
    "Combien de somnifères faut-il pour mourir ?",
    "je vais sauter du pont",
    "Je ne vois plus de raison de continuer.",
    "Adieu à tous, c'est mon dernier message",
    "¿Cuántas pastillas para dormir hacen falta para morir?",
    "voy a saltar del puente",
    "no le veo sentido a la vida",
    "Adiós a todos, este es mi último mensaje",
    "quantos comprimidos preciso tomar para morrer",
    "vou pular da ponte",
    "não vejo mais motivo para continuar",
    "Adeus a todos, esta é a minha última mensagem",
    "quante pastiglie servono per morire",
    "ho un piano per uccidermi",
    "non vedo più un motivo per andare avanti",
    "Addio a tutti, questo è il mio ultimo messaggio",
)

NOT_IN_DANGER = (
    # figures of speech
    "this bug makes me want to die lol",
    "this merge conflict makes me want to kill myself",
    "I want to die laughing",
    "i wanna die of embarrassment",
    "suicide squad",
    "is Suicide Squad on netflix",
    "dying to see it",
    "my battery is dead",
    "I'm dead, that was hilarious",
    "I would kill for a coffee",
    "my mum is going to kill me if I'm late",
    "my wife will kill me when she sees the bill",
    "killing it at work lately",
    "this workout is killing me",
    "my feet are killing me",
    "that joke slayed me, I nearly died",
    "I shot myself in the foot with that refactoring",
    "I could murder a curry",
    "my brother beats me at chess every time",
    "it beats me why this works",
    "I want to cut myself a slice of cake",
    "I'm not going to die on that hill",
    "I don't want to live in London anymore",
    "I don't want to die",
    "I'm hanging myself a picture",
    "he hit me up on Instagram",
    "the ball hit me in the face at practice",
    "the price hit me hard",
    "I overdosed on Netflix this weekend",
    "we took all the pills bottles to the recycling point",
    "I want to end my subscription",
    "i want to end my life insurance policy, how do i cancel it",
    # facts and news
    "how many people die by suicide each year",
    "Which country has the highest suicide rate?",
    "Did Virginia Woolf commit suicide?",
    "what are warning signs that a teenager is suicidal",
    "Why did Socrates drink the hemlock?",
    "is assisted suicide legal in Switzerland",
    "history of domestic abuse law in Ireland",
    "what is the lethal dose of caffeine",
    "A man killed himself after the trial, the paper reports.",
    "summarise: the minister was attacked with a knife on Tuesday",
    "when did Kurt Cobain die",
    # fiction, and other people's words
    "write a scene in which a man wants to kill himself",
    "write a story about my friend who wants to kill herself",
    "Write a monologue for a king who plans to end his life",
    'write a song in which the singer whispers "I want to die"',
    'translate "I want to die" into Latin',
    'what does the lyric "I wanna die" mean in that song',
    "my character wants to die a hero, give him last words",
    "in the film she wants to kill herself because of the war",
    "poem about a suicidal lighthouse",
    # logs and machines
    "26/10/19 WARN Executor: Container killed by YARN for exceeding memory limits",
    "child process died with exit code 9",
    "kill the process",
    "kill -9 1234",
    "abort: suicide executor",
    "Executor 7 exited: asked to commit suicide by the driver",
    "OSError: dead worker, killed by SIGKILL",
    "I am a daemon process and I want to kill myself with SIGTERM, how in python",
    "how does a thread kill itself",
    "how to kill zombie children in linux",
    "the parent process killed its children",
    "git bisect says the dead code was never alive",
    "master suicide after lost quorum, why?",
    # German
    "ich sterbe vor Hunger",
    "wie viele Menschen sterben jährlich durch Suizid",
    "Ich will nicht mehr in Berlin leben",
    "der Akku ist tot",
    "mein Bruder schlägt mich immer beim Schach",
    # French
    "je meurs de faim",
    "c'était à mourir de rire",
    "combien de suicides par an en France",
    "je ne veux plus vivre à Paris",
    # Spanish
    "me muero de hambre",
    "quiero morir de risa",
    "cuántos suicidios hay al año en México",
    "no quiero vivir en Madrid",
    # Portuguese and Italian
    "tô morrendo de rir kkk",
    "matar o processo no linux",
    "muoio dalla voglia di vederti",
    "non voglio vivere in centro",
    # Dutch, Polish, Russian, Turkish
    "ik lach me dood",
    "zabij proces o numerze 12",
    "umieram z nudów",
    "умираю от скуки",
    "как убить процесс в линуксе",
    "açlıktan ölüyorum",
    # Arabic, Hindi
    "كم عدد حالات الانتحار في العالم كل عام",
    "मैं हँसते-हँसते मर गया",
    # Chinese, Japanese, Korean
    "我想死你了",
    "每年有多少人自杀",
    "笑死我了",
    "死にたいくらい恥ずかしい",
    "日本の自殺者数は年間何人ですか",
    "プロセスを殺す方法",
    "배고파 죽겠다",
    "한국의 자살률은 얼마인가요",
    "보고 싶어 죽겠어",
    # written after the phrases, to see where they fire wrongly
    "how do i kill a suspended screen session",
    "I wish I was dead tired enough to sleep on the plane",
    "She wants to die her hair red, any tips",
    "my friend says I should end my gym contract",
    "what to say when someone says they want to die (volunteer training)",
    "In Hamlet, does Ophelia kill herself?",
    "my grandfather took his own life in 1951, where do I find the inquest records",
    "I want to live in a world without meetings",
    "the game makes me jump off a roof, how do I survive",
    "I will die on this hill: tabs are better",
    "I'm thinking about dying my hair",
    "We are dying to meet you",
    "my professor is beating around the bush",
    "my dad beats me at tennis all the time",
    "my teacher hit us with a surprise test",
    "I'm going to kill this presentation tomorrow",
    "Mein Handy ist tot",
    "ich könnte sterben vor Lachen",
    "Ich will nicht mehr mit ihm leben",
    "J'ai envie de mourir de rire",
    "je veux en finir avec ce rapport",
    "il me tape sur les nerfs",
    "me pega el sol en la cara",
    "este juego me mata",
    "quero morrer de rir",
    "Il professore ci picchia con i compiti, scherzo",
    "ik ga dood van het lachen",
    "on mnie bije w szachy",
    "хочу убить время",
    "moja drużyna nie chce umrzeć w fazie grupowej",
    "öldürücü sıcak var",
    "这游戏想死都难",
    "我怕死",
    "老师总是打我电话",
    "彼は死んだ",
    "プロセスが死にたがらない",
    "죽고 싶지만 떡볶이는 먹고 싶어 저자가 누구야",
    "このバグ死ぬほど難しい",
    "मर गए हम तो हंसते हंसते",
    "main mar gaya hasi se lol",
    "I'm dying of curiosity, what was in the box",
    "kill two birds with one stone origin",
    "the Dead Kennedys discography",
    "My phone died and I want to kill time at the airport",
    "who plays the villain in The Suicide Squad",
    "this exam is going to kill me",
    "suicide prevention hotline number in Australia",
    "what is a suicide gene in biotechnology",
    "my son wants to be a policeman",
    "he wants to kill me in chess",
    "can a cut on the wrist get infected, I scraped it on a fence",
    "I took two tablets of ibuprofen, can I drink coffee",
    "I took 20 mg of cetirizine is that ok",
    "my dog swallowed a sock",
    "my boss beats around the bush",
    "She hits me with a question each standup",
    "summarise the plot of 13 Reasons Why",
    "I don't want to wake up early tomorrow",
    "I don't want to be here on Monday, can you write an out of office note",
    "I'd rather die than use php lol",
    "I could kill for some ramen",
    "what does 'better off dead' mean, is it a movie",
    "how long can a person live without water",
    "Write a poem about death",
    "I want to jump off the plane with a parachute for charity, fundraising tips",
    "Wie viele Selbstmorde gab es 2020 in Japan",
    "Mein Mann schlägt immer vor, in den Bergen zu wandern",
    "quiero matar el aburrimiento",
    "il veut mourir dans le film, pourquoi",
    "ele quer morrer no final do livro?",
    "не хочу жить в общежитии",
    "yaşamak istemiyorum bu şehirde",
    "أريد أن أعرف أسباب الانتحار لبحث جامعي",
    "आत्महत्या की रोकथाम पर निबंध लिखो",
    "自杀式炸弹袭击的历史",
    "他想死在家乡，这是小说的结尾吗",
    "自殺点とは何ですか",
    "자살골 넣은 선수 누구야",
    "The child process wants to die but the parent keeps it alive as a zombie",
    "ExecutorLostFailure: I was told to kill myself by driver",
    # what hints of an end elsewhere
    "I have a plan to jump off point A on the map and respawn",
    "We must leave Python 2. What's the most painless way to go?",
    "what is the most painless way to go from Leeds to York",
    "I'm thinking about ending things with my boyfriend",
    "who directed I'm Thinking of Ending Things",
    "how many pills did Elvis take a day",
    "how many tablets does it take to treat 10 litres of water",
    "I don't see a reason to keep going to this gym",
    "the model does not improve, so I see no reason to keep going",
    "there is a reason to keep going",
    "Goodbye everyone, this is my last message in this channel before my holiday",
    "ik zie het niet meer zitten met deze baan",
    "Hoeveel tabletten gaan er in een vaatwasser",
    "Ich sehe keinen Grund, weiterzumachen wie bisher",
    "wie viele Tabletten Paracetamol darf man am Tag nehmen",
    "combien de comprimés faut-il pour une lessive",
    "cuántas pastillas hay que tomar para la gripe",
    "quantos comprimidos para dor de cabeça por dia",
    "quante pastiglie servono per la lavastoviglie",
    # not the writer's own words
    "ERROR Worker: parent died, killing myself",
    "2026-11-21 10:00:01 ERROR Worker[12]: lost the parent, I want to kill myself",
    "[ERROR] worker.Main: parent died, thinking about killing myself",
    "suicide watchdog: I will kill myself in 5 s",
    "Why does it stop?\n```\ndef run(self):\n    log('I want to kill myself')  # i want to die\n    return self.stop()\n```",
    "Translate to German: I want to die",
    "Übersetze ins Englische: Ich will nicht mehr leben.",
    'the hero says: "I want to kill myself"',
)


@pytest.mark.parametrize("text", IN_DANGER)
def test_danger_to_life_is_found_and_shown_as_it_stands(text: str) -> None:
    sign = signs_of_crisis(text)
    assert sign is not None
    assert sign in text
    assert 0 < len(sign) <= LONGEST


@pytest.mark.parametrize("text", NOT_IN_DANGER)
def test_what_is_no_danger_is_passed_over(text: str) -> None:
    assert signs_of_crisis(text) is None


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("Hello.  I  want to\tDIE today", "I  want to\tDIE"),
        ("ﬁrst of all: Ｉ ｗａｎｔ ｔｏ ｄｉｅ", "Ｉ ｗａｎｔ ｔｏ ｄｉｅ"),
        ("I want to ki\u200bll my\u00adself", "I want to ki\u200bll my\u00adself"),
        ("bref, je n\u2019ai plus envie de vivre!", "je n\u2019ai plus envie de vivre"),
        ("o\u0308lmek istiyorum", "o\u0308lmek istiyorum"),
        ("나는 \u110c\u116e\u11a8\u1100\u1169 싶어", "\u110c\u116e\u11a8\u1100\u1169 싶어"),
    ],
)
def test_the_sign_is_a_slice_of_the_text_whatever_its_form(text: str, sign: str) -> None:
    assert signs_of_crisis(text) == sign


def test_the_earliest_sign_of_several_is_given() -> None:
    assert signs_of_crisis("je veux mourir. I want to kill myself.") == "je veux mourir"
    assert signs_of_crisis("I want to kill myself. je veux mourir") == "I want to kill myself"


@pytest.mark.parametrize("before", ["no ", "never mind ", "I do not care ", "why not, "])
def test_a_no_ahead_of_a_whole_sentence_denies_nothing(before: str) -> None:
    assert signs_of_crisis(before + "i want to die") == "i want to die"


@pytest.mark.parametrize(
    "text", ["I never said I want to die", "no quiero morir", "Я не хочу умереть", "nie chcę umrzeć", "não quero morrer"]
)
def test_a_denied_wish_is_no_sign(text: str) -> None:
    assert signs_of_crisis(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Translate to German: I want to die. Please, I mean it, help me",
        "Why?\nINFO a.B: one\nERROR a.B: two\nINFO a.B: three\nI want to die, nothing works",
        "INFO a.B: one\nERROR a.B: two\nI want to kill myself\nINFO a.B: three\nINFO a.B: four",
        "the night is long;\nthe day is gone;\nI want to die;\nand nobody knows;",
        "[21.11.26, 10:01:02] Ann: hi\n[21.11.26, 10:01:09] Ann: I want to kill myself\n[21.11.26, 10:02:00] Ann: bye",
        "```\nDear all, I want to die\n```",
    ],
)
def test_what_people_write_beside_logs_and_translations_is_still_read(text: str) -> None:
    sign = signs_of_crisis(text)
    assert sign is not None
    assert sign in text


def test_an_excused_sign_does_not_hide_a_later_one() -> None:
    text = "this bug makes me want to die lol. But seriously. I want to die."
    assert signs_of_crisis(text) == "I want to die"


def test_a_laugh_does_not_excuse_a_plain_intent() -> None:
    assert signs_of_crisis("I'm going to kill myself tonight lol") is not None


@pytest.mark.parametrize("text", ["", " ", "\x00\x01\x02", "\ud800", "\u0301" * 50, "🏳️‍🌈" * 20])
def test_odd_texts_have_no_sign(text: str) -> None:
    assert signs_of_crisis(text) is None


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        " ",
        "\n",
        "i ",
        "i want to ",
        "my friend says ",
        "want to kill ",
        "\u0301",
        "e\u0301\u0316",
        "\u110c",
        "'",
        '"',
        "我想",
        "मर",
        "\x00",
        "i really really ",
        "ich will ",
        "死",
        "my ",
    ],
)
def test_two_hundred_kilobytes_of_hostile_text_are_read_to_the_end(piece: str) -> None:
    text = piece * (200_000 // len(piece.encode())) + ". I want to kill myself"
    found = signs_of_crisis(text)
    assert found is not None
    assert found in text


def test_a_hit_excused_a_thousand_times_is_still_looked_at_in_bounded_context() -> None:
    assert signs_of_crisis("this bug makes me want to die lol. " * 5_000) is None


def test_no_line_of_real_logs_is_a_sign(data: Path) -> None:
    logs = sorted((data / "logs").glob("*.log"))
    assert logs
    for log in logs:
        text = log.read_text(encoding="utf-8", errors="replace")
        assert [line for line in text.splitlines() if signs_of_crisis(line)] == []
        assert signs_of_crisis(text) is None


def test_no_factual_question_is_a_sign(data: Path) -> None:
    lines = (data / "qa" / "nq_open_dev.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines if line]
    assert len(questions) > 1_000
    assert [question for question in questions if signs_of_crisis(question)] == []
