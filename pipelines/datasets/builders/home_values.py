"""What people call their rooms and devices: values of the slots for which Home Assistant ships none.

Every language that is not here has the English ones.
"""

_ENGLISH = {
    "area": (
        "kitchen, living room, bedroom, bathroom, garage, hallway, office, basement, dining room, garden, "
        "nursery, attic"
    ),
    "floor": "ground floor, first floor, second floor, upstairs, downstairs",
    "name": (
        "ceiling light, desk lamp, reading lamp, coffee machine, front door, patio door, bedroom fan, "
        "air purifier, "
        "garage door, left curtain, thermostat, television, stereo, robot, Christmas tree, heater, Rachel, "
        "fireplace, "
        "washing machine, movie night"
    ),
    "message": (
        "dinner is ready, time to go to school, the bus leaves in ten minutes, please come downstairs, "
        "I am home, the dog needs a walk, lights out in five minutes, the pizza has arrived"
    ),
    "search_query": (
        "the Beatles, classical music, Bohemian Rhapsody, jazz for dinner, the dark side of the moon, "
        "Taylor Swift, "
        "songs of the eighties, rain sounds"
    ),
    "shopping_list_item": ("milk, eggs, two apples, toilet paper, olive oil, bread, cat food, batteries, orange juice"),
    "todo_list_item": (
        "call the plumber, water the plants, pay the rent, clean the windows, book the flights, fix the bike"
    ),
    "timer_name": "pizza, laundry, tea, workout, homework, eggs, bread, parking",
    "timer_command": (
        "turn off the lights, open the garage door, close the blinds, turn on the heater, lock the front door"
    ),
    "zone": "home, work, school, the gym, the office",
}
_GERMAN = {
    "area": (
        "Küche, Wohnzimmer, Schlafzimmer, Bad, Garage, Flur, Büro, Keller, Esszimmer, Garten, Kinderzimmer, Dachboden"
    ),
    "floor": "Erdgeschoss, erster Stock, Obergeschoss, Untergeschoss, Dachgeschoss",
    "name": (
        "Deckenlampe, Schreibtischlampe, Leselampe, Kaffeemaschine, Haustür, Terrassentür, Ventilator, "
        "Luftreiniger, "
        "Garagentor, linker Vorhang, Thermostat, Fernseher, Stereoanlage, Roboter, Weihnachtsbaum, Heizung, "
        "Anna, Kamin, "
        "Waschmaschine, Filmabend"
    ),
    "message": (
        "das Essen ist fertig, es ist Zeit für die Schule, der Bus fährt in zehn Minuten, bitte kommt nach unten, "
        "ich bin zu Hause, der Hund muss raus, in fünf Minuten geht das Licht aus, die Pizza ist da"
    ),
    "search_query": (
        "die Beatles, klassische Musik, Bohemian Rhapsody, Jazz zum Abendessen, Atemlos, Taylor Swift, "
        "Lieder der Achtziger, Regengeräusche"
    ),
    "shopping_list_item": (
        "Milch, Eier, zwei Äpfel, Toilettenpapier, Olivenöl, Brot, Katzenfutter, Batterien, Orangensaft"
    ),
    "todo_list_item": (
        "Klempner anrufen, Pflanzen gießen, Miete zahlen, Fenster putzen, Flüge buchen, Fahrrad reparieren"
    ),
    "timer_name": "Pizza, Wäsche, Tee, Sport, Hausaufgaben, Eier, Brot, Parken",
    "timer_command": (
        "schalte das Licht aus, öffne das Garagentor, schließe die Rollläden, schalte die Heizung ein, "
        "verriegle die Haustür"
    ),
    "zone": "Zuhause, Arbeit, Schule, Fitnessstudio, Büro",
}
_FRENCH = {
    "area": (
        "cuisine, salon, chambre, salle de bain, garage, couloir, bureau, cave, salle à manger, jardin, "
        "chambre d'enfant, "
        "grenier"
    ),
    "floor": "rez-de-chaussée, premier étage, deuxième étage, sous-sol, étage",
    "name": (
        "plafonnier, lampe de bureau, liseuse, machine à café, porte d'entrée, porte-fenêtre, ventilateur, "
        "purificateur d'air, porte du garage, rideau gauche, thermostat, télévision, chaîne stéréo, robot, "
        "sapin de Noël, chauffage, Camille, cheminée, machine à laver, soirée film"
    ),
    "message": (
        "le dîner est prêt, c'est l'heure de l'école, le bus part dans dix minutes, descendez s'il vous plaît, "
        "je suis à la maison, il faut sortir le chien, on éteint dans cinq minutes, la pizza est arrivée"
    ),
    "search_query": (
        "les Beatles, musique classique, Bohemian Rhapsody, du jazz pour dîner, La vie en rose, Taylor Swift, "
        "chansons des années quatre-vingt, bruits de pluie"
    ),
    "shopping_list_item": (
        "lait, œufs, deux pommes, papier toilette, huile d'olive, pain, croquettes, piles, jus d'orange"
    ),
    "todo_list_item": (
        "appeler le plombier, arroser les plantes, payer le loyer, laver les vitres, réserver les vols, réparer le vélo"
    ),
    "timer_name": "pizza, lessive, thé, sport, devoirs, œufs, pain, parking",
    "timer_command": (
        "éteins la lumière, ouvre la porte du garage, ferme les volets, allume le chauffage, "
        "verrouille la porte d'entrée"
    ),
    "zone": "maison, travail, école, salle de sport, bureau",
}
_KOREAN = {
    "area": "주방, 거실, 침실, 욕실, 차고, 복도, 사무실, 지하실, 식당, 정원, 아이방, 다락방",
    "floor": "1층, 2층, 3층, 위층, 아래층",
    "name": (
        "천장등, 책상 스탠드, 독서등, 커피머신, 현관문, 테라스 문, 선풍기, 공기청정기, 차고 문, 왼쪽 커튼, "
        "온도조절기, 텔레비전, "
        "오디오, 로봇, 크리스마스 트리, 난방기, 지수, 벽난로, 세탁기, 영화의 밤"
    ),
    "message": (
        "저녁 준비됐어요, 학교 갈 시간이야, 버스가 십 분 뒤에 떠나, 아래층으로 내려와, 나 집에 왔어, "
        "강아지 산책시켜야 해, "
        "오 분 뒤에 불 끌게, 피자 왔어"
    ),
    "search_query": ("비틀즈, 클래식 음악, 보헤미안 랩소디, 저녁 재즈, 밤편지, 테일러 스위프트, 팔십년대 노래, 빗소리"),
    "shopping_list_item": "우유, 달걀, 사과 두 개, 휴지, 올리브유, 빵, 고양이 사료, 건전지, 오렌지 주스",
    "todo_list_item": "배관공 부르기, 화분에 물 주기, 월세 내기, 창문 닦기, 비행기 예약하기, 자전거 고치기",
    "timer_name": "피자, 빨래, 차, 운동, 숙제, 달걀, 빵, 주차",
    "timer_command": "불 꺼줘, 차고 문 열어줘, 블라인드 닫아줘, 난방기 켜줘, 현관문 잠가줘",
    "zone": "집, 회사, 학교, 헬스장, 사무실",
}
_LANGUAGES = {"en": _ENGLISH, "de": _GERMAN, "fr": _FRENCH, "ko": _KOREAN}


def values_of(language: str) -> dict[str, list[str]]:
    """Returns the values by the name of their list.

    Args:
        language: Code of the language, such as "de" or "de-CH".

    Example:

    >>> values_of("de-CH")["area"][:2], values_of("nl")["area"][:2]
    (['Küche', 'Wohnzimmer'], ['kitchen', 'living room'])
    """
    texts = _LANGUAGES.get(language.partition("-")[0], _ENGLISH)
    return {name: text.split(", ") for name, text in texts.items()}
