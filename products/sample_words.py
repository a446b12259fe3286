"""The words that made-up products are made of: everyday ones, written down for this purpose."""

GIVEN = """
Ada Alba Alma Amir Anders Andrea Anika Anselm Antonia Arthur Astrid Aurora Barbara Bastian Beatrice Bela Benno
Bianca Boris Brigitte Bruno Camille Carla Carmen Caspar Cecilia Charles Chiara Chloe Clara Clemens Colin Conrad
Cordula Cyril Dagmar Damian Daria David Deborah Denise Dennis Diana Dominik Dora Edgar Edith Eleanor Elias Elisa
Ella Emil Emma Enzo Erik Esther Eva Fabian Fatima Felix Fiona Flora Florian Frances Frida Gabriel Gemma Georg Gerda
Gloria Greta Gustav Hannah Harold Hedwig Helena Henry Hilda Hugo Ida Ilse Ines Irene Isaac Isabel Ivan Jana Jasper
Joan Joel Johanna Jonas Jordan Josephine Julia Julius Karin Karl Kira Klara Konstantin Lara Laura Leah Lena Leo
Leonie Lewis Liam Lilian Linus Livia Lorenz Louisa Lucas Lydia Magda Malte Marcel Margaret Marlene Martha Martin
Mathilda Maurice Maya Mia Milan Mira Moritz Nadia Naomi Nathan Nelly Niklas Nina Noah Nora Olga Oliver Olivia Oscar
Otto Pamela Patrick Paula Peter Petra Philip Quentin Rachel Ralph Rebecca Rita Robin Rolf Rosa Rupert Sabina Samuel
Sara Sebastian Selma Silas Simone Sofia Stella Susan Sven Tamara Theo Thomas Tilda Tobias Ursula Valentin Vanessa
Vera Victor Viola Walter Wanda Wendy Wilma Xenia Yara Yvonne Zara Zoe
"""

FAMILY = """
Abbott Achterberg Adler Albrecht Almeida Anderson Appleby Arnold Ashdown Atwood Bachmann Baker Barlow Barrett Bauer
Beckett Benson Berger Bishop Blackwood Bloom Bradford Brandt Briggs Brook Burgess Byrne Calder Cardoso Carver
Castillo Chandler Chapman Clarke Coleman Conway Costa Crane Crawford Dalton Danner Dawson Delgado Dixon Doyle Drake
Dumont Eastwood Eckert Edwards Ellery Engel Espinosa Fairfax Falk Farrow Ferrara Fischer Fleming Forsyth Foster
Frost Fuller Galloway Gardner Garrido Gibbons Glover Goodwin Grant Greaves Gruber Haas Hale Hammond Harding Hartmann
Hawkins Henley Herrera Hewitt Hoffmann Holloway Hopkins Hughes Hunter Ibarra Ingram Irving Jansen Jarvis Jennings
Kaiser Keller Kendall Kessler Kirby Knight Kramer Lambert Lang Larsen Lawson Lehmann Leighton Lindgren Lopez Lowell
Lynch MacLeod Maddox Mann Marsh Mason Maxwell Mayer Mercer Meyer Miller Monroe Moreno Morgan Mueller Nash Navarro
Neumann Newton Nolan Norris Novak O'Brien O'Neill Oakley Olsen Ortega Osborne Palmer Parker Patel Pearce Pereira
Perkins Pfeiffer Pierce Porter Prescott Quinn Ramsey Reed Reyes Richter Rivera Robson Romano Rowe Russo Sanders
Sawyer Schmidt Schreiber Sharp Shepherd Silva Sinclair Slater Sommer Spencer Stanton Steiner Sterling Stone Sullivan
Tanner Taylor Thorne Torres Tucker Turner Underwood Vance Vargas Vaughn Vogel Wagner Walsh Warren Watkins Weaver
Weber Wells Whitaker Wilder Winter Wolff Woodward Wright Yates Young Zeller Ziegler
"""

WORDS = """
attic balcony basket bath beam bed bell bench blanket blind board bolt bottle bowl box bracket brick bridge broom
brush bucket bulb button cabin cabinet cable candle canvas carpet ceiling cellar chain chair chest chimney clock
closet cloth column cord corner couch counter cover crate cup curtain cushion desk dish door drawer fan faucet fence
filter flask floor fork frame fridge furnace garage gate glass glue grid hammer handle hinge hook hose iron jar
kettle key kitchen knife knob ladder lamp latch lid lock mat mirror nail needle oven paint pan paper pillow pipe
plank plate plug pot pump rack rail roof room rope rug saw scissors screw shelf shower sink soap sofa spoon spring
stair stove strap string switch table tank tape thread tile tool towel tray tube vase wall window wire

acorn apple autumn bark bay beach bean bear berry bird blossom branch breeze canyon cave cedar cherry clay cliff
cloud clover coast coral corn cotton creek crow daisy dawn deer desert dew dove dust earth eagle elm fern field fire
fish flame flock flower fog forest fox frost fruit garden grain grape grass gravel harbor hare harvest hawk hay
hazel heat hill honey horse ice island ivy lake lark leaf lemon lily lime lion maple marsh meadow mint mist moon
moss mountain mud nest night oak oat ocean olive onion orchard otter owl palm pasture peach pear pebble pine plain
plant plum pond poppy rain raven reed reef rice ridge river robin rock root rose sage salt sand sea seed shade sheep
shore sky snow soil star stem stone storm stream summer sun swan thorn thunder tide timber tree tulip valley violet
water wave wheat willow wind winter wolf wood

account actor advice agent airport artist audience author baker bank bargain barn battle border boss budget builder
business camera campus captain career castle center chance charge chef child choir church citizen city class client
coach college colony company contest cook council country couple course court craft crew crowd culture customer
dancer dealer debate degree design detail doctor dollar driver editor effort engine event expert factory family
farmer fashion father figure film finance friend future gallery game goal group guard guest guide habit health
history holiday hospital hotel idea income issue journal journey judge kingdom language law lawyer leader lesson
letter library limit list magic manager map market matter measure medal member memory message method mile model
moment money month morning mother motion museum music nation network number nurse object offer office opera order
owner page parade parent park partner party past path patient pattern people period person photo phrase pilot place
player poem poet point policy price prize process product profit program project public purpose quarter question
quiz reader reason record region report result reward right role route rule salad scene school science score season
sense series service share ship shop signal singer site skill song sound space speech sport square stage state
station story street student studio style subject success system talent task teacher team term test theory thing
ticket time title topic total tour tower town trade tradition traffic train travel treaty trip truth union unit
value victory view village visit voice vote voyage wage walk week weight winner worker world writer year

accept add admit adopt agree allow answer appear apply argue arrange arrive ask attend avoid bake balance become
begin believe belong blend borrow bounce breathe bring build burn buy call carry catch change choose claim clean
climb close collect come compare complete connect consider contain continue cost count create cross cut dance decide
deliver depend describe develop discover discuss divide draw dream drift drink drive drop earn eat end enjoy enter
explain explore fall feed feel fill find finish fit fix float fly fold follow forget form gather get give glow go
grow happen hear help hide hold hope hunt imagine improve include invite join jump keep know laugh launch lay lead
learn leave lend lift like listen live look lose love make march mark mean meet mend mix move need notice open pack
pass pay pick play polish pour prepare press print produce protect prove pull push raise reach read receive remain
remember repair repeat reply rest return ride ring rise roll run sail save say search see seem sell send serve set
settle shine show sing sit sketch sleep slide smile solve speak spend spread stand start stay step stir stop stretch
study suggest supply support swim take talk taste teach tell think throw tie touch try turn understand use wait wake
want wash watch wear weave win wish wonder work wrap write

able above across after again ago ahead alone already also always amber among ancient around away azure back best
better big bitter black blue bold both brave bright brief broad brown calm careful cheap clear clever cold common
cool crisp curious daily dark dear deep different direct double dry eager early easy either else empty enough equal
even ever every exact extra fair familiar famous far fast few final fine firm first flat free fresh full gentle glad
gold good grand gray great green half happy hard heavy here high honest huge idle inner jolly just keen kind large
last late lazy least left light likely little local lone long loose loud low lucky lunar main many maybe merry mild
modern more most much narrow near neat never new next nice noble now odd often old once only orange other outer over
own pale perfect plenty polite proud pure purple quick quiet rapid rare ready real recent red regular rich ripe
rough round royal safe same second sharp short shy silent silver simple single slow small smooth soft some soon sour
special steady steep still strange strong such sure sweet swift tall tender then there thick thin tiny together
tomorrow tough under upper usual vast very vivid warm well white whole wide wild wise within yellow yesterday yet
"""
