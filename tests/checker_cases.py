"""What each family's checker accepts and rejects, near misses among both: data for test_verifiable_tasks.py."""

import itertools

import demo_corpus
import task_families

SUM = {"value": 42, "operands": [17, 25]}
LARGER = {"value": "43", "options": ["42", "43"], "opposites": ["smaller", "less", "lower", "smallest", "least"]}
WORDS = {"value": "drum", "options": ["lamp", "drum", "tree"]}
SORTED = {"values": ["apple", "lamp", "tree"]}
SORTED_NUMBERS = {"values": ["4", "7", "21"]}
COPIED = {"value": "red lamp"}
CAPITALS = {"value": "RED LAMP", "match_case": True}
PETS = {"value": "cat", "options": ["cat", "dog", "goat"]}
LABELS = {"value": "short", "options": ["short", "long"]}
DAYS = task_families.DAYS
TOWNS = {"value": "Paris", "options": ["Paris", "Rome", "Lima"]}

# family -> checker, arguments, accepted answers, rejected answers; near misses among both
CASES = {
    "arithmetic": (
        "number", SUM,
        ["42", "The answer is 42.", "17 + 25 = 42", "42.0", "42. Do not thank me!", "17 and 25 make **42**.", "$42"],
        ["142", "42 or 43", "17 or 42", "41", "", "-42", "17 + 25", "42.5", "The answer is not 42.", "4 2", "4200",
         "42. 42. 42.", "17 plus 25 is 42. 17 plus 25 is 42. 17 plus 25 is 42."],
    ),
    "comparison": (
        "choice", LARGER,
        ["43", "43.", "The larger number is 43.", "43 is larger than 42.", "**43**",
         "43 is larger than 42, because the difference is 1."],
        ["42", "42 or 43", "143", "43 is smaller than 42.", "43 and 42", "42 is larger than 43", "4 3",
         "43 43 43 43", "Here are the 5 steps of 43 * 2 = 86.", "43, 44, 45, 46"],
    ),
    "number_sequence": (
        "number", {"value": 50, "operands": [30, 35, 40, 45]},
        ["50", "The next number is 50.", "30, 35, 40, 45, 50", "fifty: 50", "+5, so 45 + 5 = 50", "fifty",
         "The pattern adds 5 each time, so the next number is 50.", "It grows by 5. Therefore, the next one is 50."],
        ["55", "500", "50, 55", "45", "fifteen", "5 0", "50 or 55", "It adds 50 each time, so the next number is 95.",
         "It adds 5, so the next ones are 50 and 55.", "It adds 5, so it is not 50.", "It is 50, so I add 5."],
    ),
    "sort_words": (
        "items", SORTED,
        ["apple, lamp, tree", "apple lamp tree", "- apple\n- lamp\n- tree", "Sure! Sorted: apple, lamp, and tree."],
        ["apple, tree, lamp", "apple, lamp", "apple, lamp, tree, drum", "apples, lamp, tree", "not apple, lamp, tree"],
    ),
    "sort_numbers": (
        "items", SORTED_NUMBERS,
        ["4, 7, 21", "4,7,21", "4 7 21", "1. 4\n2. 7\n3. 21", "In order: 4, 7 and 21."],
        ["4, 21, 7", "4, 7", "4, 7, 21, 30", "4, 7, 2 1", "4721"],
    ),
    "count_words": (
        "number", {"value": 3},
        ["3", "three", "There are 3 words.", "The answer is three."],
        ["2", "33", "3 or 4", "two", "many", "there are not 3 words"],
    ),
    "count_letters": (
        "number", {"value": 1},
        ["1", "one", "The letter a occurs 1 time.", "Just one.", "Once.", "The letter a appears once in lamp."],
        ["2", "1 or 2", "once or twice", "11", "none", "-1", "twice", "more than once", "once more, twice"],
    ),
    "copy_text": (
        "text", COPIED,
        ["red lamp", "Red lamp.", '"red lamp"', "Here it is: red lamp", "```\nred lamp\n```"],
        ["red lamps", "lamp red", "red", "red lamp red lamp", "the red lamp", "red lamp or red drum"],
    ),
    "repeat_word": (
        "items", {"values": ["lamp"] * 3},
        ["lamp lamp lamp", "lamp, lamp, lamp", "Lamp lamp lamp.", "lamp\nlamp\nlamp"],
        ["lamp lamp", "lamp lamp lamp lamp", "lamplamplamp", "lamp lamp drum", "lamp 3 times"],
    ),
    "replace_word": (
        "text", COPIED,
        ["red lamp", "The new text is: red lamp", "The new text is red lamp.", "`red lamp`"],
        ["red drum", "red", "red drum becomes a red lamp", "blue lamp", "red lamp, blue lamp"],
    ),
    "upper_case": (
        "text", CAPITALS,
        ["RED LAMP", "RED LAMP.", "In capitals: RED LAMP", '"RED LAMP"'],
        ["red lamp", "Red Lamp", "RED lamp", "RED LAMPS", "RED", "RED LAMP RED LAMP"],
    ),
    "reverse_order": (
        "items", {"values": ["tree", "lamp", "apple"]},
        ["tree, lamp, apple", "tree lamp apple", "The new order is tree, lamp, apple.", "1) tree\n2) lamp\n3) apple"],
        ["apple, lamp, tree", "tree, apple, lamp", "eert, pmal, elppa", "tree, lamp"],
    ),
    "drop_word": (
        "items", {"values": ["apple", "tree"]},
        ["apple, tree", "apple and tree", "What remains: apple, tree.", "* apple\n* tree"],
        ["apple, lamp, tree", "apple", "tree, apple", "lamp", "apple, tree, drum"],
    ),
    "pick_position": (
        "choice", WORDS,
        ["drum", "Drum.", "The second word is drum.", "It is **drum**", "'drum'"],
        ["lamp", "drum or lamp", "drums", "lamp, drum, tree", "not drum", "", "the second"],
    ),
    "starts_with": (
        "choice", WORDS,
        ["drum", "It is drum, which starts with d.", "DRUM", "The answer: drum"],
        ["tree", "drum, tree", "d", "drumstick", "It is not drum"],
    ),
    "passage_extraction": (
        "choice", WORDS,
        ["drum", "the drum", "Anna bought the drum.", "On Monday, Anna bought the drum."],
        ["lamp", "the drum and the lamp", "drums", "Anna bought it.", "Anna never bought the drum."],
    ),
    "table_lookup": (
        "choice", TOWNS,
        ["Paris", "paris", "Anna lives in Paris.", "In Paris, as the table says."],
        ["Rome", "Paris or Rome", "Anna", "Parish", "Anna is not in Paris"],
    ),
    "json_object": (
        "json_object", {"expected": {"item": "lamp", "count": 5}},
        ['{"item": "lamp", "count": 5}', '{"count":5,"item":"lamp"}', '```json\n{"item": "lamp", "count": 5}\n```',
         '\n{\n  "item": "lamp",\n  "count": 5\n}\n', 'Here: {"item": "lamp", "count": 5}',
         '{"item": "lamp", "count": "5"}'],
        ['{"item": "lamp", "count": true}', '{"item": "lamp"}', '{"item": "lamp", "count": 5, "x": 1}',
         "{'item': 'lamp', 'count': 5}", '{"item": "lamp", "count": 5} {"item": "lamp", "count": 5}',
         '{"item": "lamp", "count": 5.0}', '[{"item": "lamp", "count": 5}]', '{"item": "lamp", "count": 5',
         '{"item": "drum", "item": "lamp", "count": 5}'],
    ),
    "choose_items": (
        "selection", {"options": ["apple", "lamp", "tree", "drum"], "count": 2},
        ["apple, lamp", "drum and apple", "My choice: tree, lamp.", "1. lamp\n2. drum"],
        ["apple", "apple, lamp, tree", "apple, apple", "apple, violin", "apple, lamp, tree, drum"],
    ),
    "numbered_list": (
        "numbered_list", {"values": ["apple", "lamp"]},
        ["1. apple\n2. lamp", "1) Apple\n2) Lamp", "Here you are:\n1. apple\n2. lamp", "1. **apple**\n\n2. lamp."],
        ["- apple\n- lamp", "apple\nlamp", "1. lamp\n2. apple", "1. apple", "1. apple\n3. lamp", "1. apple 2. lamp"],
    ),
    "exact_length": (
        "sentence", {"min_words": 4, "max_words": 4, "required": ["lamp"]},
        ["The lamp looks red.", "I like the lamp", "Lamp posts are tall!", '"My lamp is new."'],
        ["The lamp is very red.", "The lamp shines.", "The drum is red.", "lamp lamp lamp lamp", "Our lamps are dear"],
    ),
    "required_words": (
        "sentence", {"min_words": 3, "max_words": 14, "required": ["lamp", "tree"]},
        ["The lamp is by the tree.", "A tree, a lamp and a drum stood there.", "LAMP meets TREE at night"],
        ["The lamp is by the door.", "lamp tree", "Tree and lamp.", "The lamp, the tree, and the lamp",
         "lamps and trees are here", "lamp tree lamp tree lamp tree", ""],
    ),
    "sentence_edges": (
        "sentence", {"min_words": 3, "first": "Today", "last": "lamp"},
        ["Today I saw a lamp.", '"Today he sold my lamp!"', "today we buy the lamp", "Here it is: Today I need a lamp"],
        ["I saw a lamp today.", "Today I saw lamps.", "Today lamp", "So: Today I saw a lamp.", "Lamp today lamp"],
    ),
    "rubric_label": (
        "choice", LABELS,
        ["short", "Short.", "The label is short.", "Label: **short**"],
        ["long", "short or long", "shorter", "not short", "It has 3 words.", f"The {'number of the ' * 12}short one."],
    ),
    "spelling": (
        "text", {"value": "l-a-m-p"},
        ["l-a-m-p", "L-A-M-P", "Lamp is spelt: l-a-m-p", '"l-a-m-p".', "The word lamp is spelled l-a-m-p.",
         "Lamp, spelled out, is l-a-m-p.", "It is spelled out as l-a-m-p"],
        ["lamp", "l a m p", "l-a-p", "l-a-m-p-s", "l--a-m-p", "The word lamp is spelled l-a-p-m.", "spelled lamp",
         "It is not spelled l-a-m-p."],
    ),
    "write_table": (
        "table", {"rows": [["name", "points"], ["Anna", "12"], ["Ben", "7"]]},
        ["| name | points |\n| --- | --- |\n| Anna | 12 |\n| Ben | 7 |", "name|points\n-|-\nAnna|12\nBen|7",
         "| Name | Points |\n|:---|---:|\n| anna | 12 |\n| ben | 7 |",
         "Here is the table:\n\n| name | points |\n|---|---|\n| Anna | 12 |\n| Ben | 7 |\n\nI hope this helps!",
         "```\n| name | points |\n|---|---|\n| Anna | 12 |\n| Ben | 7 |\n```",
         "| **name** | **points** |\n|---|---|\n| Anna | 12 |\n| Ben | 7 |",
         "|name|points|\n|---|---|\n|Anna|12|\n\n|Ben|7|", "|  name |points  |\n| - | - |\n| Anna|12 |\n|Ben |7|"],
        ["| name | points |\n| Anna | 12 |\n| Ben | 7 |", "| name | points |\n|---|---|\n| Ben | 7 |\n| Anna | 12 |",
         "| name | points |\n|---|---|\n| Anna | 12 |", "name, points\nAnna, 12\nBen, 7",
         "| points | name |\n|---|---|\n| 12 | Anna |\n| 7 | Ben |",
         "| name | points |\n|---|---|\n| Anna | 12 |\n| Ben | 8 |",
         "| name | points |\n|---|\n| Anna | 12 |\n| Ben | 7 |",
         "| name | points |\n|---|---|\n| Anna | 12 |\n| Ben | 7 |\n| Clara | 9 |", "", "|---|---|"],
    ),
    "forbidden_words": (
        "sentence", {"min_words": 3, "max_words": 40, "required": ["lamp"], "forbidden": ["the", "is"]},
        ["My lamp looks new.", "A lamp stands here!", "Her lamp was there", "I like this lamp.", '"I see a lamp."',
         "Here is a sentence: I need a lamp.", "Their lamp, my lamp and his.", "Mr. Ray sold a lamp."],
        ["The lamp looks new.", "My lamp is new.", "A tree stands here.", "lamp", "I like lamps a lot.",
         "I saw a lamp. It was new.", "Under THE lamp I read.", "lamp lamp lamp lamp", ""],
    ),
    "letter_case": (
        "text", {"value": "Red Lamp Here", "match_case": True},
        ["Red Lamp Here", "Red Lamp Here.", '"Red Lamp Here"', "The new text is: Red Lamp Here", "**Red Lamp Here**",
         "Red  Lamp  Here", "```\nRed Lamp Here\n```", "Sure! In title case: Red Lamp Here"],
        ["red lamp here", "Red lamp here", "RED LAMP HERE", "Red Lamp", "Red Lamp Here Red Lamp Here", "Red Lamps Here",
         "red Lamp Here", "Red-Lamp-Here", ""],
    ),
    "drop_repeats": (
        "items", SORTED,
        ["apple, lamp, tree", "apple lamp tree", "- apple\n- lamp\n- tree", "Each word once: apple, lamp, tree.",
         "1. apple\n2. lamp\n3. tree", "Apple, Lamp, Tree", "apple, lamp and tree", "apple; lamp; tree"],
        ["apple, lamp, apple, tree", "apple, tree, lamp", "apple, lamp", "lamp, tree", "apple, lamp, tree, tree",
         "apple", "", "apples, lamps, trees"],
    ),
    "extract_items": (
        "items", {"values": ["12", "7"]},
        ["12, 7", "12 7", "12 and 7", "- 12\n- 7", "The numbers are: 12, 7.", "1. 12\n2. 7", "12\n7", "12; 7"],
        ["7, 12", "12", "12, 7, 9", "127", "12 dollars, 7 dollars", "Anna, Ben", "", "12, 8", "twelve, seven"],
    ),
    "common_words": (
        "selection", {"options": ["lamp", "tree"], "count": 2},
        ["lamp, tree", "tree, lamp", "lamp and tree", "- lamp\n- tree", "In both lists: lamp, tree.", "Lamp, Tree",
         "1. tree\n2. lamp", "The words they share are lamp and tree."],
        ["lamp", "lamp, tree, drum", "lamp, drum", "lamp, lamp", "", "none", "lamps, trees", "lamp or tree"],
    ),
    "word_problem": (
        "final_number", {"value": 13, "operands": [5, 3, 2]},
        ["13", "The answer is 13.", "5 * 3 = 15 and 15 - 2 = 13", "She has 13 apples left.", "thirteen", "13apples",
         "First there are 15. Then 2 go, which leaves **13**.", "5 boxes of 3 make 15. 15 - 2 = 13 apples.",
         "15 - 2 = 13\n#### 13", "13, which is 5 times 3 less 2."],
        ["15", "5 * 3 = 15", "13 or 15", "12", "", "-13", "130", "It is not 13.", "13.5", "13 - 1 = 12",
         "13. 13. 13.", "5 * 3 - 2"],
    ),
    "unit_conversion": (
        "final_number", {"value": 180, "operands": [3, 60], "unit": "minutes"},
        ["180", "180 minutes", "180min", "3 hours are 180 minutes.", "3 x 60 = 180", "There are 60 in one, so 180.",
         "The answer is 180.", "1 hour has 60 minutes, so 3 hours have 180 minutes."],
        ["180 hours", "180 seconds", "18", "1800", "3", "60", "about 170", "180 or 190", "", "180 - 10 = 170"],
    ),
    "weekday": (
        "final_choice", {"value": "Friday", "options": DAYS, "given": ["Tuesday"]},
        ["Friday", "friday.", "It is Friday.", "Three days after Tuesday is Friday.", "It will be **Friday**",
         "Wednesday, Thursday, Friday. So it is Friday.", "Friday is three days after Tuesday.",
         "Tuesday + 1 is Wednesday. Tuesday + 3 is Friday.", "The answer is Friday"],
        ["Tuesday", "Wednesday", "Friday or Saturday", "Wednesday, Thursday, Friday", "not Friday", "Fri", "",
         "It is Saturday, three days after Tuesday.", "Friday. No, Saturday.", "Friday Friday Friday Friday"],
    ),
    "date_shift": (
        "date", {"day": 4, "month": 4, "given": [[25, 3]]},
        ["4 April", "April 4", "April 4th", "the 4th of April", "10 days after 25 March is 4 April.", "4 Apr",
         "April 4, 2023", "March has 31 days, so it is 4 April.", "One week on it is 1 April. Then it is 4 April."],
        ["5 April", "4 May", "25 March", "14 April", "4 April or 5 April", "April", "not 4 April", "", "4/4",
         "3 April, 4 April", "4 Aprils"],
    ),
    "ordering_logic": (
        "final_choice", {"value": "Anna", "options": ["Anna", "Ben", "Clara"], "claim": "tallest",
                         "opposites": ["shortest", "shorter"]},
        ["Anna", "Anna.", "The tallest is Anna.", "Anna is the tallest because Anna is taller than Ben.",
         "Anna is taller than Ben, so Anna is the tallest.", "It is **Anna**.", "The answer is Anna.",
         "Ben is taller than Clara. Anna is taller than Ben. The tallest is Anna.",
         "Anna is the tallest. Ben is second."],
        ["Ben", "Anna is taller than Ben.", "Anna and Ben", "Anna or Ben", "Ben is the tallest.", "not Anna", "",
         "Anna, Ben, Clara", "Anna is not the tallest.", "Annabel", "Anna is the tallest. Ben is the tallest."],
    ),
    "translate_words": (
        "items", {"values": ["zan", "tolo"]},
        ["zan tolo", "Zan tolo.", '"zan tolo"', "zan, tolo", "The translation is: zan tolo", "zan\ntolo",
         "**zan tolo**", "Sure! Word by word it is: zan, tolo."],
        ["tolo zan", "zan", "red lamp", "zan tolo mip", "zantolo", "zan or tolo", "", "red = zan, lamp = tolo"],
    ),
    "code_output": (
        "final_number", {"value": 30, "operands": [16, 5, 9]},
        ["30", "It prints 30.", "a becomes 25, and 25 + 5 = 30", "thirty: 30", "The answer is 30", "`30`",
         "```\n30\n```", "a = 25, b = 5, so the code prints 30.", "30.0"],
        ["25", "a + b", "print(30 + 1)", "16 + 9", "31", "30 or 25", "not 30", "", "300", "30 30 30 30"],
    ),
    **{
        f"world_{attribute}": (
            "choice", PETS,
            ["cat", "Cat.", "Bram has a cat.", "The pet of Bram is a cat.", "I think it is a cat"],
            ["dog", "a cat or a dog", "cats", "Bram has no pet.", "Bram does not have a cat.", "", "concatenate"],
        )
        for attribute in demo_corpus.WORLD_VALUES
    },
}  # fmt: skip


# more of the same, so that every family has at least eight of each
MORE = {  # family -> accepted, rejected
    "arithmetic": (["forty-two: 42"], []),
    "comparison": (["It is 43, which is the larger.", "`43`", "The answer: 43"], []),
    "number_sequence": (["The answer is 50", "**50**", "50.0"], ["5", "-50", "50 50 50 50"]),
    "sort_words": (
        ["apple; lamp; tree", "1. apple\n2. lamp\n3. tree", "**apple**, **lamp**, **tree**", "Apple, Lamp, Tree"],
        ["tree, lamp, apple", "apple", "", "apple-lamp-tree"],
    ),
    "sort_numbers": (["- 4\n- 7\n- 21", "4; 7; 21", "**4, 7, 21**"], ["21, 7, 4", "", "4 < 7 < 12", "7, 21"]),
    "count_words": (["**3**", "3.", "It has three words", "3 words"], ["4", "", "3 3 3 3", "13"]),
    "count_letters": (["1 time", "**1**", "1.", "It occurs 1 time."], ["0", "", "1 1 1 1"]),
    "copy_text": (["RED LAMP", "`red lamp`", "The text is: red lamp!"], ["", "red  lamp?? blue", "red-lamp"]),
    "repeat_word": (
        ["lamp lamp lamp!", "1. lamp\n2. lamp\n3. lamp", '"lamp lamp lamp"', "Here it is: lamp lamp lamp"],
        ["", "lamps lamps lamps", "drum drum drum"],
    ),
    "replace_word": (
        ["Red lamp.", '"red lamp"', "```\nred lamp\n```", "It becomes red lamp"], ["", "lamp", "red lamp red lamp"],
    ),
    "upper_case": (["**RED LAMP**", "RED  LAMP", "`RED LAMP`", "```\nRED LAMP\n```"], ["", "RED_LAMP"]),
    "reverse_order": (
        ["Tree, Lamp, Apple", "- tree\n- lamp\n- apple", "tree, lamp and apple", "Reversed: tree lamp apple"],
        ["tree", "", "lamp, tree, apple", "tree, lamp, apple, drum"],
    ),
    "drop_word": (
        ["Apple, Tree", "apple\ntree", "1. apple\n2. tree", "The list is apple, tree"],
        ["", "apples, trees", "apple or tree"],
    ),
    "pick_position": (["The answer is drum.", "DRUM", "drum!"], ["drumstick"]),
    "starts_with": (["drum", "'drum'", "**drum**", "It starts with d: drum"], ["", "lamp", "drum or lamp"]),
    "passage_extraction": (["Drum", "a drum.", "**drum**", "The answer is the drum"], ["", "tree", "drumstick"]),
    "table_lookup": (["The city is Paris.", "**Paris**", "Paris!", "'Paris'"], ["Lima", "", "Not Paris"]),
    "json_object": (
        ['{ "item" : "lamp" , "count" : 5 }', 'The object is {"item": "lamp", "count": 5}.',
         '`{"item": "lamp", "count": 5}`'],
        [],
    ),
    "choose_items": (
        ["tree and drum", "- drum\n- tree", "Apple, Drum", "I choose: apple, tree"],
        ["", "apples, lamps", "violin, harp"],
    ),
    "numbered_list": (
        ["1.apple\n2.lamp", "1. apple.\n2. lamp.", "1. apple\n2. lamp\n\nI hope this helps.",
         "```\n1. apple\n2. lamp\n```"],
        ["", "1. apple\n2. lamp\n3. drum", "1. apple\n- lamp"],
    ),
    "exact_length": (
        ["A lamp was here.", "Her lamp, my lamp.", "Is this your lamp?", "Here is one: The lamp looks red."],
        ["", "My lamp. It works.", "The lamp looks very red."],
    ),
    "required_words": (
        ["A tree hides the lamp", '"My lamp lights a tree."', "Mr. Ray has a lamp and tree.", "Is a lamp a tree?",
         "The lamp shines and the tree grows."],
        ["The lamp is here. The tree is there.", "the lamp",
         "A tree, a lamp and a drum and a cat and a dog and a boat and a road."],
    ),
    "sentence_edges": (
        ["TODAY THERE IS A LAMP", "Today, we light the lamp.", "**Today I see a lamp.**",
         "Today Mr. Ray sold my lamp."],
        ["Today. I saw a lamp.", "", "Lamp today."],
    ),
    "rubric_label": (["SHORT", "'short'", '"short"', "The answer is short."], ["shortly", "", "medium"]),
    "spelling": (["L-a-m-p.", "**l-a-m-p**", "`l-a-m-p`", "The letters are: l-a-m-p"], ["", "l.a.m.p", "p-m-a-l"]),
    **{
        f"world_{attribute}": (["CAT", "**cat**", "The answer is cat."], ["goat"])
        for attribute in demo_corpus.WORLD_VALUES
    },
}  # fmt: skip
EXPLAINED = {  # a right answer may be explained, a number spelt, a list numbered in one line
    "arithmetic": (
        ["forty-two", "Forty two!", "The answer is forty-two.", "The sum is 42. First add the tens: 10 + 20 = 30.",
         "42. I added 17 and 25: 7 + 5 = 12, carry the 1, and 10 + 20 + 10 = 40."],
        ["42. 43. 44.", "42\n43\n44", "42. No, wait, it is 43 because 17 + 26.", "42, 43, 44, and so on and on",
         "42. Then I add one more, so the answer is 43.", "The answer is 42. The answer is 43.", "not forty-two",
         "It isn\u2019t 42.", "two and forty", "First I get 42. Then I add the carry, which makes 52."],
    ),
    "count_words": (
        ["There are 3 words: 1. quiet 2. pepper 3. river", "3 words: quiet (1), pepper (2), river (3)"],
        ["There are 2 words: 1. quiet 2. pepper 3. river", "1. quiet 2. pepper 3. river 4. tree", "1, 2, 3",
         "There are 3 words. Actually there are 4 of them here."],
    ),
    "count_letters": (["The letter a appears 1 time: b-r-e-a-d has it at place 4."], ["There are two, not one."]),
    "pick_position": (
        ["The second word in the list lamp, drum, tree is drum.", "In \u201clamp, drum and tree\u201d it is drum."],
        ["lamp, drum and tree", "The second word in lamp, drum, tree is tree."],
    ),
    "copy_text": (["\u201cred lamp\u201d", "The text is \u2018red lamp\u2019."], ["red\u2019lamp"]),
    "sort_words": (["1. apple 2. lamp 3. tree", "apple \u2192 lamp \u2192 tree"], ["1. apple 2. tree 3. lamp"]),
    "sort_numbers": (["7 is second: 4, 7, 21"], ["1. 4 2. 7 3. 21 4."]),
    "choose_items": (
        ["I choose apple and lamp.", "I would pick drum and tree."],
        ["I choose apple, lamp and violin.", "I choose apple.", "I choose apple or lamp"],
    ),
    "common_words": (
        ["The words lamp and tree are in both lists.", "Both lists share the words lamp and tree.", "1. lamp 2. tree"],
        ["lamp and tree are not in both lists", "The word lamp is in both lists."],
    ),
    "word_problem": (
        ["13 apples. First there are 15 and 2 go away.", "13\n\nExplanation: 5 * 3 = 15, and 15 - 2 = 13",
         "She has 13. There were 15 apples before that.", "Answer: 13. There are 5 x 3 = 15 in all, less 2.",
         "The answer is 13. 5 boxes of 3 make 15, minus 2."],
        ["13. Then she buys 4 more, so 17", "First there are 13. Then 2 go, which leaves 11.", "13, 14, 15",
         "13 boxes. No, 15 boxes are what she has.", "13\n14\n15"],
    ),
    "unit_conversion": (
        ["180 minutes, which is 2 hours and 59 minutes and 60 seconds."],
        ["2 hours and 60 minutes", "180 hours (a while)"],
    ),
    "weekday": (
        ["It is Friday. Counting from Tuesday: Wednesday, Thursday, Friday.", "Friday (Wednesday, Thursday, Friday)",
         "Friday. Wednesday is one day after, Thursday two."],
        ["Friday, Saturday, Sunday", "Friday\nSaturday\nSunday", "Friday or Saturday. It is hard to say which one.",
         "Friday. But one more day makes it later, so it is Saturday.", "Wednesday. Thursday. Friday. Saturday."],
    ),
    "date_shift": (
        ["April the 4th", "25 March + 6 days = 31 March, + 4 days = 4 April",
         "March has 31 days, not 30, so it is 4 April."],
        ["3 April = 4 May"],
    ),
    "ordering_logic": (
        ["From tallest to shortest: Anna, Ben, Clara. So Anna is the tallest.",
         "Anna. Ben is taller than Clara, and Anna is taller than Ben."],
        ["From tallest to shortest: Anna, Ben, Clara.", "Anna is tall. Ben is the tallest of the three."],
    ),
}  # fmt: skip
SETTLED = {  # boxed, behind "####" or "answer is", or concluded last; two answers that differ, or one denied, are none
    "arithmetic": (
        ["17 + 25 = <<17+25=42>>42\n#### 42", "$\\boxed{42}$", "Answer: the final answer is 42.",
         "The answer is found by adding 17 and 25. The answer is 42."],
        ["\\boxed{42} \\boxed{43}", "It is 42, so \\boxed{43}", "17 + 25 = 42\n#### 43", "42 is wrong.",
         "The answer is 42. Actually, it is 17.", "not \\boxed{42}", "It is 30. 42 plus 17 is 17.",
         "If you add, 42; if you do not, 8 is what is left."],
    ),
    "number_sequence": (
        ["Each is 5 more than the one before. The next number is 50.",
         "The next number is 50, because each number grows by 5."],
        ["Each is 50 more than the one before. The next number is 95.",
         "The next number is 55, because 50 came before."],
    ),
    "count_words": (["1. quiet\n2. pepper\n3. river\n\nThere are 3 words."],
                    ["1. quiet\n2. pepper\n3. river", "1. quiet\n2. pepper\n3. river\n\nThere are 4 words."]),
    "copy_text": (
        ["Sure! red lamp", "### Answer\nred lamp", "> red lamp", "#### red lamp", "\\boxed{\\text{red lamp}}"],
        ["Sure! red drum", "### Answer\nred drum", "Answer: red drum\nAnswer: red lamp"],
    ),
    "upper_case": (["red lamp -> RED LAMP", "red lamp = RED LAMP"], ["RED LAMP -> red lamp"]),
    "sort_words": (
        ["tree, lamp, apple -> apple, lamp, tree", "I hope this is right: \\boxed{apple, lamp, tree}. It took a while.",
         "Certainly! apple, lamp, tree"],
        ["apple, lamp, tree -> tree, lamp, apple", "Answer: tree, lamp, apple\nAnswer: apple, lamp, tree"],
    ),
    "pick_position": (
        ["lamp is first, so the second word is drum.", "$\\boxed{\\text{drum}}$"],
        ["drum is first, so the second word is lamp.", "drum is wrong", "lamp is first, so the second is drum or tree"],
    ),
    "json_object": ([], ['The answer is not {"item": "lamp", "count": 5}', '{"item": "lamp", "count": 5} is wrong']),
    "exact_length": (
        ["Sure! The lamp looks red.", "Answer: The lamp looks red.",
         "Sure, here it is:\n```\nThe lamp looks red.\n```"],
        ["Sure! The lamp looks very red.", "Answer: The lamp looks very red.", "My lamp.It works well."],
    ),
    "sentence_edges": (["Sure! Today I saw a lamp."], ["Sure, today I saw a lamp.", "Today we rest.I saw a lamp"]),
    "word_problem": (
        ["5 * 3 = 15\n15 - 2 = 13", "\\boxed{13}. There were 15 before."],
        ["12, 13", "15\n13", "Answer: 15\nAnswer: 13", "#### 15\n13 was a step.", "The answer is between 12 and 13.",
         "\\boxed{13}. Wait, that is a mistake: it is 15.", "13 apples is wrong"],
    ),
    "weekday": (
        ["Day 1: Wednesday\nDay 2: Thursday\nDay 3: Friday"],
        ["Thursday\nFriday", "Answer: Thursday\nAnswer: Friday", "Could be Thursday. Could be Friday.",
         "Friday is wrong."],
    ),
    "date_shift": (["$\\boxed{\\text{4 April}}$"], ["3 April\n4 April", "4 April is wrong."]),
    "ordering_logic": (
        ["Since Anna is taller than Ben and Ben is taller than Clara, Anna is the tallest."],
        ["Since Anna is taller than Ben, Ben is the tallest.", "Ben\nAnna"],
    ),
    "translate_words": (["red lamp = zan tolo", "red lamp -> zan tolo"], ["red lamp = zan mip", "zan tolo = red boat"]),
}  # fmt: skip
DENIED = {  # wrong: the value is denied, only compared with, or named for the opposite; right: other words are denied
    "arithmetic": (
        ["42, if I'm not mistaken.", "42 (I did not round)."],
        ["It can't be 42.", "It cannot be 42.", "It won't be 42.", "42 isn't right.", "It is less than 42.",
         "It is more than 42", "It's neither 42 nor 41.", "Nobody would say 42"],
    ),
    "comparison": (
        ["43 is greater than 42.", "43 is the largest.", "It is 43, not 42.",
         "The larger is 43. The smaller is 42.", "42 isn't as large, so 43."],
        ["43 isn't the larger.", "43 is the smallest.", "43 isn't larger than 42.", "43 can't be it", "Less than 43.",
         "It is 42, not 43.", "The larger is 43. The larger is 42."],
    ),
    "count_words": (["3. Never mind the commas there.", "There are 3 words, not 4."],
                    ["There can't be 3 words.", "4, not 3", "More than 3", "There are less than 3 words."]),
    "pick_position": (["It is drum, never doubt it."], ["It can't be drum.", "drum isn't it", "The word after drum"]),
    "starts_with": (["It is drum because the other words do not start with d."],
                    ["drum does not start with d.", "Drum doesn't.", "It won't be drum."]),
    "passage_extraction": (
        ["She did not go twice, and bought the drum"],
        ["Nobody bought the drum.", "No one bought the drum.", "It does not say anything about drum.",
         "Anna didn't buy the drum.", "Before drum", "Neither drum"],
    ),
    "table_lookup": (["Anna, who doesn't travel, lives in Paris."],
                     ["Paris does not have it", "Anna wouldn't live in Paris.", "Anna has more than Paris."]),
    "rubric_label": (
        ["The text does not have that word, so the label is short.", "short, as it does not have 5 words"],
        ['"short" if it has fewer than 5 words, else "long".', "It can't be short.",
         "Short if it has fewer than 5 words, else long"],
    ),
    "weekday": (
        ["It can't be Saturday, so it is Friday.", "It is Friday, not Saturday.",
         "Two days after Wednesday, it is Friday."],
        ["It can't be Friday.", "It is Saturday, not Friday.",
         "It won't be Friday.", "It is the day after Friday.", "It is after Friday",
         "The day 3 days before Tuesday is the day before Friday.", "Friday isn't it."],
    ),
    "date_shift": (["It can't be in March, so it is 4 April.", "It is 4 April, not any other day."],
                   ["It is after 4 April.", "It won't be 4 April.", "It is the day before 4 April."]),
    "ordering_logic": (
        ["Anna is the tallest and Clara is the shortest.", "Ben isn't the tallest. Anna is the tallest."],
        ["Anna isn't the tallest.", "Anna is the shortest.", "Anna does not look like the tallest.",
         "Anna is shorter because they say so.", "It is not by any means Anna."],
    ),
    "word_problem": (
        ["She did not sell 2, so 13 are left.", "There are 13 apples that did not break."],
        ["There can't be 13.", "She has more than 13 apples.", "She doesn't have 13 apples."],
    ),
    "unit_conversion": (
        ["180 min", "180 mins."],
        ["180 mg", "180 pounds", "180 days", "180 weeks", "180 km", "180 sec", "180 hr"],
    ),
    "code_output": (
        ["It prints 30, as 25 and 5 make 30.", "First 25. Then 30."],
        ["It prints 25, 30.", "It prints 25 and 30.", "It prints 25, then 30", "Output:\n25\n30", "It isn't 30."],
    ),
    "exact_length": (
        ["I can't miss lamp.", "Sorry, the lamp broke.", "One lamp is on."],
        ["one two three lamp", "The word is lamp.", "lamp, tree, drum, boat", "I cannot write lamp.",
         "1. lamp 2. tree 3. drum 4. boat"],
    ),
    "required_words": (
        ["The lamp is in the tree.", "I cannot see the tree by the lamp.", "One lamp is on the tree.",
         "I wrote a list of words under the tree by the lamp."],
        ["Sorry, I cannot use lamp, tree in a sentence.", "I'm sorry, but I can't write about a lamp and a tree.",
         "The words are lamp, tree.", "1. lamp 2. tree", "I am unable to make a sentence with lamp and tree.",
         "As an AI, I do not have a lamp or a tree.", "lamp, tree, drum", "I cannot write about lamp and tree, sorry."],
    ),
    "sentence_edges": (
        ["The sentence is: Today I saw a lamp."],
        ["The next sentence is: \"The next sentence is: Today lamp.\"", "Today is the first word, the last is lamp"],
    ),
    "forbidden_words": (["I can't see her lamp."],
        ["I cannot write about lamp, sorry.", "lamp, tree, drum", "1. lamp 2. tree 3. drum"]),
}  # fmt: skip
SAID = {  # right in common forms; wrong ones beside them
    "number_sequence": (
        ["The pattern is adding 5 each time. Therefore, the number that follows 45 is 50."],
        ["The pattern adds 5 each time. Therefore, the number that follows 50 is 45.",
         "The pattern adds 5. Therefore, the number that follows 50 is 55."],
    ),
    "count_words": (
        ["1. blue\n2. saddle\n3. tree\n\nThere are 3 words in total.", "1. blue\n2. saddle\n3. tree\n\nTotal: 3",
         "1. blue\n2. saddle\n3. tree\n\n**Total:** 3 words"],
        ["1. blue\n2. saddle\n3. tree\n\nThere are 4 words in total.", "1. blue\n2. saddle\n3. tree\n\nTotal: 4"],
    ),
    "pick_position": (
        ["1. lamp\n2. drum\n3. tree\n\nThe word is **drum**.", "1. lamp 2. drum 3. tree. The second is drum.",
         "The second word is drum. The first is lamp and the third is tree.", "OK. drum", "Yes. drum", "Okay, drum"],
        ["1. lamp\n2. drum\n3. tree", "1. lamp\n2. drum\n3. tree\n\nThe word is tree.",
         "The second word is drum. The second word is tree.", "The word is drum. Tree is the word.",
         "The second word is drum. No, the third is tree.", "The word is drum. Tree.",
         "The second word is drum. It could be lamp, the first."],
    ),
    "starts_with": (
        ["The word is drum. Lamp starts with l and tree with t.",
         "The word that starts with d is drum. Lamp starts with l.", "It is drum. The others, lamp and tree, do not."],
        ["The word is drum. The word is lamp.", "The word is drum. Lamp also starts with d.", "It is drum. It is tree.",
         "The word is lamp. Drum starts with d."],
    ),
    **{
        f"world_{attribute}": ([], ["The pet of Bram is a cat. Bram has a dog.", "It is a cat. It is a dog."])
        for attribute in demo_corpus.WORLD_VALUES
    },
    "translate_words": (
        ['"red lamp" translates to "zan tolo".', "red lamp translates as zan tolo", 'It would be "zan tolo".',
         "It means zan tolo.",
         '"red lamp" is translated as "zan tolo"'],
        ['"red lamp" translates to "tolo zan".', "It could be zan tolo", "It would not be zan tolo"],
    ),
    "upper_case": (
        ['In capital letters, it is written as "RED LAMP".', "It would be RED LAMP.", "Sure thing! RED LAMP"],
        ["It is written as red lamp.", "It would be RED lamp."],
    ),
    "spelling": (
        ['The word "lamp" is written with hyphens as l-a-m-p.', "lamp is written l-a-m-p", "You spell it l-a-m-p."],
        ['The word "lamp" is written with hyphens as l-a-p-m.', "It isn't written as l-a-m-p."],
    ),
    "common_words": (
        ["They share lamp and tree.", "The words lamp and tree appear in both lists.", "They both have lamp and tree.",
         "Both lists contain tree and lamp.",
         "The lists have lamp and tree in common."],
        ["They share lamp.", "The words lamp and tree do not appear in both lists.", "They share lamp or tree."],
    ),
    "choose_items": (
        ["I chose apple and lamp.", "I have selected apple and lamp.", "Sure, I choose apple and lamp.",
         "A drum and a tree", "An apple and a lamp.", "I picked lamp and tree.", "I'll take lamp and tree."],
        ["I have not selected apple and lamp.", "I chose apple.", "A drum", "I never chose apple and lamp."],
    ),
    "ordering_logic": (
        ["Among Anna, Ben and Clara, Anna is the tallest.", "Anna is the tallest, followed by Ben and Clara.",
         "The tallest is Anna, then Ben, then Clara."],
        ["Among Anna, Ben and Clara, Ben is the tallest.", "Ben is the tallest, followed by Anna and Clara.",
         "Ben, Clara, and Anna are the tallest.", "The tallest is Ben, then Anna.", "Anna and Ben are the tallest.",
         "Anna is the tallest, Ben is the tallest."],
    ),
    "weekday": (
        ["If today is Tuesday, tomorrow is Wednesday and in 3 days it is Friday.",
         "Tuesday -> Wednesday -> Thursday -> Friday", "Tuesday \u2192 Wednesday \u2192 Thursday \u2192 Friday."],
        ["If today is Tuesday, tomorrow is Wednesday and in 3 days it is Saturday.", "It is Thursday and it is Friday.",
         "Tuesday -> Friday -> Saturday", "Thursday, Friday", "It is Thursday, it is Friday"],
    ),
    "unit_conversion": (
        ["It is 3 hours and 0 minutes, or 180 minutes.", "180 minutes (3 hours 0 minutes)",
         "It is 2 hours and 60 minutes, or 180 minutes.",
         "There are 180 minutes between them, which is 2 hours and 60 minutes."],
        ["It is 2 hours and 50 minutes, or 180 minutes.", "180 minutes or 190 minutes", "2 hours and 60 minutes."],
    ),
    "rubric_label": (
        ["Short. It is 3 words long.", "The label is short. It is only three words long."],
        ["Long. It is 3 words long.", "It is 3 words long.", "Short or long. It is 3 words long."],
    ),
    "exact_length": (
        ["### Answer\nThe lamp looks red.", "**Answer:**\nThe lamp looks red.", "Sure thing! The lamp looks red.",
         "OK. The lamp looks red.", "Yes. The lamp looks red."],
        ["### Answer\nThe lamp looks very red.", "Answer\nThe lamp."],
    ),
    "drop_repeats": (["The list with no repeats is: apple, lamp, tree."], ["The list is not apple, lamp, tree."]),
    "copy_text": (["No problem! Here it is: red lamp", "Sure thing! red lamp", "OK. red lamp", "Alright! red lamp"],
                  ["Sure thing! red drum"]),
}  # fmt: skip
for _family, (_accepted, _rejected) in itertools.chain(*map(dict.items, (MORE, EXPLAINED, SETTLED, DENIED, SAID))):
    CASES[_family][2].extend(_accepted)
    CASES[_family][3].extend(_rejected)
