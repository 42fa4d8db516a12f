"""The words of the phrasebook, and what can be said of what: tables with one word or one scene a line.

The grammar that puts them together is in `helpers/phrasebook_grammar.py`.
"""

from typing import NamedTuple


def rows(text: str) -> list[list[str]]:
    """The lines of a table, each split at spaces; "_" stands for a space within a cell, "-" for an empty cell."""
    lines = [line.split() for line in text.strip().splitlines()]
    return [["" if cell == "-" else cell.replace("_", " ") for cell in line] for line in lines]


def table(text: str) -> list[list[str]]:
    """The lines of a table whose cells are set apart by "|"; a cell may hold spaces."""
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


class Noun(NamedTuple):
    english: str
    plural: str
    french: str
    french_plural: str
    gender: str  # m, f
    chinese: str
    measure: str  # the measure word that Chinese puts between a number and this noun
    kind: str  # what sort of thing it is; decides what can be said of it


NOUNS = {
    row[0]: Noun(*row)
    for row in rows("""
book        books        livre        livres        m 书     本 reading
dictionary  dictionaries dictionnaire dictionnaires m 字典   本 reading
novel       novels       roman        romans        m 小说   本 story
magazine    magazines    magazine     magazines     m 杂志   本 story
newspaper   newspapers   journal      journaux      m 报纸   份 story
letter      letters      lettre       lettres       f 信     封 letter
umbrella    umbrellas    parapluie    parapluies    m 雨伞   把 personal
bag         bags         sac          sacs          m 包     个 personal
watch       watches      montre       montres       f 手表   块 personal
phone       phones       téléphone    téléphones    m 手机   部 personal
key         keys         clé          clés          f 钥匙   把 personal
shirt       shirts       chemise      chemises      f 衬衫   件 clothes
coat        coats        manteau      manteaux      m 外套   件 clothes
dress       dresses      robe         robes         f 裙子   条 clothes
hat         hats         chapeau      chapeaux      m 帽子   顶 clothes
car         cars         voiture      voitures      f 汽车   辆 vehicle
lorry       lorries      camion       camions       m 卡车   辆 vehicle
bicycle     bicycles     vélo         vélos         m 自行车 辆 vehicle
motorbike   motorbikes   moto         motos         f 摩托车 辆 vehicle
chair       chairs       chaise       chaises       f 椅子   把 seat
sofa        sofas        canapé       canapés       m 沙发   张 seat
bed         beds         lit          lits          m 床     张 seat
table       tables       table        tables        f 桌子   张 furniture
wardrobe    wardrobes    armoire      armoires      f 衣柜   个 furniture
box         boxes        boîte        boîtes        f 盒子   个 furniture
cat         cats         chat         chats         m 猫     只 animal
dog         dogs         chien        chiens        m 狗     只 animal
bird        birds        oiseau       oiseaux       m 鸟     只 animal
cow         cows         vache        vaches        f 奶牛   头 animal
horse       horses       cheval       chevaux       m 马     匹 animal
egg         eggs         œuf          œufs          m 鸡蛋   个 food
cake        cakes        gâteau       gâteaux       m 蛋糕   个 food
orange      oranges      orange       oranges       f 橙子   个 food
carrot      carrots      carotte      carottes      f 胡萝卜 根 food
apple       apples       pomme        pommes        f 苹果   个 fruit
tomato      tomatoes     tomate       tomates       f 西红柿 个 fruit
coffee      coffees      café         cafés         m 咖啡   杯 drink
tea         teas         thé          thés          m 茶     杯 drink
tree        trees        arbre        arbres        m 树     棵 tree
flower      flowers      fleur        fleurs        f 花     朵 flower
house       houses       maison       maisons       f 房子   座 building
flat        flats        appartement  appartements  m 公寓   套 building
market      markets      marché       marchés       m 市场   个 place
supermarket supermarkets supermarché  supermarchés  m 超市   个 place
restaurant  restaurants  restaurant   restaurants   m 餐馆   家 place
library     libraries    bibliothèque bibliothèques f 图书馆 个 place
school      schools      école        écoles        f 学校   所 place
hospital    hospitals    hôpital      hôpitaux      m 医院   家 place
hotel       hotels       hôtel        hôtels        m 酒店   家 place
church      churches     église       églises       f 教堂   座 place
station     stations     gare         gares         f 火车站 个 place
airport     airports     aéroport     aéroports     m 机场   个 place
museum      museums      musée        musées        m 博物馆 个 place
bank        banks        banque       banques       f 银行   家 place
park        parks        parc         parcs         m 公园   个 place
garden      gardens      jardin       jardins       m 花园   个 place
kitchen     kitchens     cuisine      cuisines      f 厨房   个 place
bridge      bridges      pont         ponts         m 桥     座 place
teacher     teachers     professeur   professeurs   m 老师   位 person
doctor      doctors      médecin      médecins      m 医生   位 person
nurse       nurses       infirmière   infirmières   f 护士   位 person
actor       actors       acteur       acteurs       m 演员   位 person
driver      drivers      chauffeur    chauffeurs    m 司机   位 person
child       children     enfant       enfants       m 孩子   个 youth
girl        girls        fille        filles        f 女孩   个 youth
boy         boys         garçon       garçons       m 男孩   个 youth
friend      friends      ami          amis          m 朋友   个 friend
neighbour   neighbours   voisin       voisins       m 邻居   个 friend
mother      mothers      mère         mères         f 妈妈   个 family
father      fathers      père         pères         m 爸爸   个 family
grandmother grandmothers grand-mère   grands-mères  f 奶奶   个 family
uncle       uncles       oncle        oncles        m 叔叔   个 family
daughter    daughters    fille        filles        f 女儿   个 family
son         sons         fils         fils          m 儿子   个 family
""")
}


class Adjective(NamedTuple):
    english: str
    masculine: str
    feminine: str
    masculine_plural: str
    feminine_plural: str
    before_vowel: str  # the masculine singular before a vowel
    position: str  # of the French adjective: before or after its noun
    chinese: str
    particle: str  # 的, if Chinese needs it between this adjective and a noun


ADJECTIVES = {
    row[0]: Adjective(*row)
    for row in rows("""
red         rouge       rouge        rouges       rouges        rouge       after  红色 的
black       noir        noire        noirs        noires        noir        after  黑色 的
white       blanc       blanche      blancs       blanches      blanc       after  白色 的
green       vert        verte        verts        vertes        vert        after  绿色 的
blue        bleu        bleue        bleus        bleues        bleu        after  蓝色 的
yellow      jaune       jaune        jaunes       jaunes        jaune       after  黄色 的
grey        gris        grise        gris         grises        gris        after  灰色 的
big         grand       grande       grands       grandes       grand       before 大   -
small       petit       petite       petits       petites       petit       before 小   -
new         nouveau     nouvelle     nouveaux     nouvelles     nouvel      before 新   -
old         vieux       vieille      vieux        vieilles      vieil       before 旧   -
beautiful   beau        belle        beaux        belles        bel         before 漂亮 的
interesting intéressant intéressante intéressants intéressantes intéressant after  有趣 的
comfortable confortable confortable  confortables confortables  confortable after  舒服 的
expensive   cher        chère        chers        chères        cher        after  贵   的
heavy       lourd       lourde       lourds       lourdes       lourd       after  重   的
hot         chaud       chaude       chauds       chaudes       chaud       after  热   -
young       jeune       jeune        jeunes       jeunes        jeune       before 年轻 的
tall        grand       grande       grands       grandes       grand       before 高   -
tired       fatigué     fatiguée     fatigués     fatiguées     fatigué     after  累   的
busy        occupé      occupée      occupés      occupées      occupé      after  忙   的
French      français    française    français     françaises    français    after  法国 -
English     anglais     anglaise     anglais      anglaises     anglais     after  英国 -
Chinese     chinois     chinoise     chinois      chinoises     chinois     after  中国 -
""")
}


class Verb(NamedTuple):
    english: str  # four forms, as in "she eats", "she ate", "she is eating"
    third: str
    past: str
    progressive: str
    infinitive: str
    present: tuple[str, ...]  # je, il, nous, ils
    participle: str
    future: str  # the stem: mangera is manger + a
    chinese: str

    @classmethod
    def from_row(cls, row: list[str]) -> "Verb":
        english, third, past, progressive, infinitive, *present, participle, future, chinese = row
        return cls(english, third, past, progressive, infinitive, tuple(present), participle, future, chinese)


VERBS = {
    row[0]: Verb.from_row(row)
    for row in rows("""
read     reads     read       reading     lire      lis      lit      lisons     lisent     lu       lir       看
write    writes    wrote      writing     écrire    écris    écrit    écrivons   écrivent   écrit    écrir     写
buy      buys      bought     buying      acheter   achète   achète   achetons   achètent   acheté   achèter   买
sell     sells     sold       selling     vendre    vends    vend     vendons    vendent    vendu    vendr     卖
eat      eats      ate        eating      manger    mange    mange    mangeons   mangent    mangé    manger    吃
drink    drinks    drank      drinking    boire     bois     boit     buvons     boivent    bu       boir      喝
wash     washes    washed     washing     laver     lave     lave     lavons     lavent     lavé     laver     洗
draw     draws     drew       drawing     dessiner  dessine  dessine  dessinons  dessinent  dessiné  dessiner  画
repair   repairs   repaired   repairing   réparer   répare   répare   réparons   réparent   réparé   réparer   修理
borrow   borrows   borrowed   borrowing   emprunter emprunte emprunte empruntons empruntent emprunté emprunter 借
see      sees      saw        seeing      voir      vois     voit     voyons     voient     vu       verr      看见
lose     loses     lost       losing      perdre    perds    perd     perdons    perdent    perdu    perdr     丢
find     finds     found      finding     trouver   trouve   trouve   trouvons   trouvent   trouvé   trouver   找到
look_for looks_for looked_for looking_for chercher  cherche  cherche  cherchons  cherchent  cherché  chercher  找
like     likes     liked      liking      aimer     aime     aime     aimons     aiment     aimé     aimer     喜欢
have     has       had        having      avoir     ai       a        avons      ont        eu       aur       有
give     gives     gave       giving      donner    donne    donne    donnons    donnent    donné    donner    送
lend     lends     lent       lending     prêter    prête    prête    prêtons    prêtent    prêté    prêter    借
go       goes      went       going       aller     vais     va       allons     vont       allé     ir        去
""")
}
FUTURE_ENDINGS = ("ai", "a", "ons", "ont")

# What agrees with I, he or she, we, they beside the verbs above.
HELPERS = {
    row[0]: row[1:]
    for row in rows("""
be      am    is    are     are
do      do    does  do      do
wants   want  wants want    want
être    suis  est   sommes  sont
avoir   ai    a     avons   ont
vouloir veux  veut  voulons veulent
""")
}


class Pronoun(NamedTuple):
    english: str
    french: str
    chinese: str
    person: int  # I, he or she, we, they: 0 to 3
    gender: str
    is_plural: bool


PRONOUNS = (
    Pronoun("I", "je", "我", 0, "m", False),
    Pronoun("he", "il", "他", 1, "m", False),
    Pronoun("she", "elle", "她", 1, "f", False),
    Pronoun("we", "nous", "我们", 2, "m", True),
    Pronoun("they", "ils", "他们", 3, "m", True),
)

# English: French masculine, feminine, plural; Chinese. (*the* is 那, "that", where Chinese says it at all.)
DETERMINERS = {
    row[0]: row[1:]
    for row in rows("""
the   le   la   les    那
a     un   une  -      一
no    -    -    -      -
this  ce   cette -     这
these -    -    ces    这
my    mon  ma   mes    我
your  ton  ta   tes    你
his   son  sa   ses    他
her   son  sa   ses    她
two   -    -    deux   两
three -    -    trois  三
four  -    -    quatre 四
five  -    -    cinq   五
""")
}
POSSESSIVES = ("my", "your", "his", "her")
NUMBERS = ("two", "three", "four", "five")

# When: English | for which tense | French | Chinese. "dernière:0" renders the first English word (they are counted
# from 0), and "la:" renders none.
TIMES = table("""
yesterday        | past        | hier:0                    | 昨天:0
last night       | past        | hier:0 soir:1             | 昨天:0 晚上:1
this morning     | past        | ce:0 matin:1              | 今天:0 早上:1
last week        | past        | la: semaine:1 dernière:0  | 上:0 个:1 星期:1
last month       | past        | le: mois:1 dernier:0      | 上:0 个:1 月:1
tomorrow         | future      | demain:0                  | 明天:0
tomorrow morning | future      | demain:0 matin:1          | 明天:0 早上:1
next week        | future      | la: semaine:1 prochaine:0 | 下:0 个:1 星期:1
next month       | future      | le: mois:1 prochain:0     | 下:0 个:1 月:1
at the moment    | progressive | en:0 ce:1 moment:2        | 现在:2
every morning    | habit       | chaque:0 matin:1          | 每天:0 早上:1
every evening    | habit       | chaque:0 soir:1           | 每天:0 晚上:1
every week       | habit       | chaque:0 semaine:1        | 每:0 个:1 星期:1
""")

# Where and with whom, written alike. ~ is where the noun goes: in Chinese, often in the middle (在 桌子 上).
PREPOSITIONS = {
    row[0]: row[1:]
    for row in table("""
to          | à:0 ~              | ~
with        | avec:0 ~           | 跟:0 ~ 一起:0
at          | à:0 ~              | 在:0 ~
in          | dans:0 ~           | 在:0 ~ 里:0
on          | sur:0 ~            | 在:0 ~ 上:0
under       | sous:0 ~           | 在:0 ~ 下面:0
behind      | derrière:0 ~       | 在:0 ~ 后面:0
in front of | devant:1 ~         | 在:0 ~ 前面:1
next to     | à:0 côté:0 de:1 ~  | 在:0 ~ 旁边:0
""")
}

# ---------------------------------------------------------------------------------------------------------------------
# What can be said of what
# ---------------------------------------------------------------------------------------------------------------------

# A kind of thing | its size and age | its colour, which may follow one of those | what else it may be called
# | what it can be said to be.
KINDS = {
    row[0]: [cell.split() for cell in row[1:]]
    for row in table("""
reading   | new old           | red black green blue             | interesting                  | old expensive heavy
story     | new old           |                                  | interesting                  | old expensive
letter    |                   |                                  | interesting                  |
personal  | new old           | red black white green blue grey  | beautiful                    | old beautiful expensive
clothes   | new old           | red black white green blue grey  | beautiful                    | old small big beautiful expensive
vehicle   | new old small big | red black white green blue grey  | beautiful                    | old small big beautiful expensive
seat      | new old small big | red black white green blue grey  | comfortable                  | old small big comfortable heavy
furniture | new old small big | red black white green blue grey  | beautiful                    | old small big beautiful heavy
animal    | small big         | black white grey                 | beautiful                    | small big beautiful
food      | small             |                                  |                              | small expensive
fruit     | small             | red green yellow                 |                              | small expensive
drink     |                   |                                  | hot                          | hot expensive
tree      | small big         |                                  | beautiful                    | small big beautiful
flower    | small             | red white yellow blue            | beautiful                    | small beautiful expensive
building  | new old small big |                                  | beautiful                    | old small big beautiful expensive
place     |                   |                                  |                              |
person    |                   |                                  | French English Chinese young | young tall tired busy
youth     |                   |                                  | French English Chinese       | tall tired
friend    |                   |                                  |                              | young tall tired busy
family    |                   |                                  |                              | young tall tired busy
""")  # noqa: E501
}
PEOPLE = "person youth friend family"

# What is done | to what: kinds of thing, or single nouns | where.
SCENES = table("""
read     | reading story letter                      | at library, in garden, in park, at station
write    | letter                                    | at library, in garden, at hotel
buy      | food fruit flower clothes                 | at market
buy      | food fruit drink                          | at supermarket
buy      | story drink                               | at station, at airport
buy      | reading personal vehicle animal building  |
sell     | food fruit flower clothes                 | at market
sell     | vehicle seat furniture animal building    |
eat      | food fruit                                | in kitchen, in garden, in park, at restaurant, at school
drink    | drink                                     | in kitchen, in garden, at restaurant, at hotel, at airport
wash     | clothes fruit carrot                      | in kitchen
wash     | vehicle                                   | in garden
draw     | animal tree flower                        | in garden, in park, at school
draw     | vehicle building                          | at school
repair   | vehicle chair table                       | in garden
repair   | watch phone umbrella bed sofa wardrobe    |
borrow   | reading story                             | at library, at school
borrow   | car bicycle motorbike umbrella dress coat |
see      | animal flower tree                        | in garden, in park
see      | vehicle                                   | at station, at airport
lose     | personal hat letter                       | in park, at station, at airport, at museum, at hotel, at market
find     | personal hat cat dog book                 | in park, in garden, at station, at school, at market
look_for | personal hat cat dog book letter flat     |
like     | clothes vehicle building animal reading   |
like     | story seat flower                         |
have     | vehicle animal building reading clothes   |
have     | seat personal                             |
give     | reading story personal clothes flower     |
give     | fruit cake                                |
lend     | reading story umbrella coat               |
lend     | car bicycle motorbike                     |
""")

TENSES = {
    row[0].replace("_", " "): row[1].split()
    for row in table("""
read     | progressive past future wish habit
write    | progressive past wish
buy      | progressive past future wish habit
sell     | progressive past future wish
eat      | progressive past future wish habit
drink    | progressive past future wish habit
wash     | progressive past future wish
draw     | progressive past wish
repair   | progressive past wish
borrow   | past future wish
see      | past
lose     | past
find     | past
look_for | progressive
like     | present
have     | present
give     | past future wish
lend     | past future wish
go       | past future wish habit
""")
}
HABITS = "food fruit drink story"  # nobody buys a house every morning
DESTINATIONS = "market supermarket restaurant library school hospital hotel church station airport museum bank park"

# Where there is something | and what.
LOCATIONS = table("""
on table, on chair                                      | reading story letter personal hat fruit food
on table                                                | drink
on bed                                                  | reading story letter personal clothes cat dog
under table, under chair, under bed                     | cat dog bag hat key box
next to bed, next to table                              | bag box chair sofa
in box, in bag                                          | reading letter watch phone key fruit
in wardrobe                                             | clothes
in kitchen                                              | seat table food fruit cat dog
in garden, in park                                      | tree flower animal bicycle
under tree, behind tree, next to tree                   | animal bicycle motorbike chair
behind house, behind church, behind school              | vehicle tree animal
in front of house, in front of church, behind hospital  | vehicle tree animal
in front of hotel, in front of bank, in front of museum | vehicle tree
next to house, next to church, next to station          | vehicle tree
on bridge, under bridge                                 | animal bicycle motorbike
""")
OWNED_PLACES = ("table", "chair", "bed", "box", "bag", "wardrobe", "house")
