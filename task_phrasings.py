"""Phrasings of the verifiable tasks: pure data, `CORES[family][form]` with an opener before and a closer after.

A core is one request in full, starting in lower case; its braces name slots of the family's drafts. Any opener goes
with any core and any closer, so that a prompt in an unseen phrasing is still made of words seen in others. A closer
never asks for a form of answer, which would have to be checked.
"""

OPENERS = ["", "Task:", "Question:", "Next:", "Try this:", "Tell me:", "Please answer:", "A quick one:"]

CLOSERS = ["", "Be brief.", "Take care.", "Be exact.", "Thank you."]

CORES = {
    "arithmetic": {
        "plus": [
            "what is {a} plus {b}?", "add {a} and {b}.", "what is {a} + {b}?", "what do {a} and {b} make together?",
            "give the sum of {a} and {b}.", "how much is {a} plus {b}?", "work out {a} + {b}.",
        ],
        "minus": [
            "what is {a} minus {b}?", "subtract {b} from {a}.", "what is {a} - {b}?", "take {b} away from {a}.",
            "how much is {a} minus {b}?", "work out {a} - {b}.",
        ],
        "times": [
            "what is {a} times {b}?", "multiply {a} by {b}.", "what is {a} * {b}?", "give the product of {a} and {b}.",
            "how much is {a} times {b}?", "work out {a} * {b}.",
        ],
        "three": [
            "what is {a} plus {b} plus {c}?", "add {a}, {b} and {c}.", "what is {a} + {b} + {c}?",
            "give the sum of {a}, {b} and {c}.", "how much do {a}, {b} and {c} make?", "work out {a} + {b} + {c}.",
        ],
    },
    "comparison": {
        "larger": [
            "which is larger: {numbers}?", "which number is the larger: {numbers}?", "pick the larger: {numbers}.",
            "say which is more: {numbers}.", "find the larger number: {numbers}.", "give the larger one: {numbers}.",
        ],
        "smaller": [
            "which is smaller: {numbers}?", "which number is the smaller: {numbers}?", "pick the smaller: {numbers}.",
            "say which is less: {numbers}.", "find the smaller number: {numbers}.", "give the smaller one: {numbers}.",
        ],
        "largest": [
            "which is the largest: {numbers}?", "which number is the largest: {numbers}?",
            "pick the largest: {numbers}.", "say which is the most: {numbers}.", "find the largest number: {numbers}.",
            "give the largest one: {numbers}.",
        ],
        "smallest": [
            "which is the smallest: {numbers}?", "which number is the smallest: {numbers}?",
            "pick the smallest: {numbers}.", "say which is the least: {numbers}.",
            "find the smallest number: {numbers}.", "give the smallest one: {numbers}.",
        ],
    },
    "number_sequence": {
        "next": [
            "which number comes next: {numbers}?", "continue with one number: {numbers}.",
            "what comes after these: {numbers}?", "give the next number: {numbers}.",
            "find the number that follows: {numbers}.",
        ]
    },
    "sort_words": {
        "ascending": [
            "sort these words from a to z: {words}.", "put these words in alphabetical order: {words}.",
            "order these words by the alphabet: {words}.", "list these words alphabetically: {words}.",
            "arrange these words in alphabetical order: {words}.",
        ]
    },
    "sort_numbers": {
        "ascending": [
            "sort these numbers from small to large: {numbers}.", "put these numbers in rising order: {numbers}.",
            "order these numbers from the smallest to the largest: {numbers}.",
            "list these numbers in ascending order: {numbers}.", "arrange these numbers, smallest first: {numbers}.",
        ],
        "descending": [
            "sort these numbers from large to small: {numbers}.", "put these numbers in falling order: {numbers}.",
            "order these numbers from the largest to the smallest: {numbers}.",
            "list these numbers in descending order: {numbers}.", "arrange these numbers, largest first: {numbers}.",
        ],
    },
    "count_words": {
        "words": [
            'how many words are in "{text}"?', 'count the words in "{text}".', 'give the number of words in "{text}".',
            'what is the number of words in "{text}"?', 'say how many words "{text}" has.',
        ]
    },
    "count_letters": {
        "letters": [
            'how many times does the letter {letter} stand in "{text}"?', 'count the letter {letter} in "{text}".',
            'how often does {letter} occur in "{text}"?', 'give the number of letters {letter} in "{text}".',
            'how many letters {letter} does "{text}" have?',
        ]
    },
    "copy_text": {
        "copy": [
            'repeat this: "{text}".', 'copy this text: "{text}".', 'write "{text}" again.', 'say "{text}" back to me.',
            'write down exactly: "{text}".', 'give me back "{text}".', 'copy "{text}" word for word.',
        ]
    },
    "repeat_word": {
        "one": [
            'write the word "{word}" {times}.', 'repeat "{word}" {times}.', 'say "{word}" {times} in a row.',
            'write "{word}" {times} in one line.', 'give me the word "{word}" {times}.',
        ],
        "two": [
            'write the words "{word}" {times}.', 'repeat "{word}" {times}.', 'say "{word}" {times} in a row.',
            'write "{word}" {times} in one line.', 'give me the words "{word}" {times}.',
        ],
    },
    "replace_word": {
        "replace": [
            'replace "{old}" with "{new}" in "{text}".', 'change "{old}" to "{new}" in this text: "{text}".',
            'in "{text}", put "{new}" in place of "{old}".', 'rewrite "{text}" with "{new}" instead of "{old}".',
            'take "{text}" and swap "{old}" for "{new}".',
        ]
    },
    "upper_case": {
        "upper": [
            'write "{text}" in capital letters.', 'put "{text}" in upper case.', 'turn "{text}" into capitals.',
            'change "{text}" to upper case letters.', 'give "{text}" in capitals.', 'copy "{text}" in all capitals.',
        ]
    },
    "reverse_order": {
        "reverse": [
            "write these words from last to first: {words}.", "reverse the order of these words: {words}.",
            "list these words backwards, the last one first: {words}.", "turn the order of these words round: {words}.",
            "give these words in reverse order: {words}.",
        ]
    },
    "drop_word": {
        "drop": [
            "remove {dropped} from this list: {words}.", "write this list without {dropped}: {words}.",
            "leave out {dropped} and list the other words: {words}.", "drop {dropped} from these words: {words}.",
            "take {dropped} out of this list: {words}.",
        ]
    },
    "pick_position": {
        "pick": [
            "what is the {place} word: {words}?", "give the {place} word: {words}.", "pick the {place} word: {words}.",
            "which word is {place}: {words}?", "find the {place} word in this list: {words}.",
            "name the {place} one of these: {words}.", "say the {place} of these words: {words}.",
        ]
    },
    "starts_with": {
        "starts": [
            "which word starts with {letter}: {words}?", "pick the word that starts with {letter}: {words}.",
            "find the word with {letter} as its first letter: {words}.",
            "which of these begins with {letter}: {words}?",
            "give the one that begins with {letter}: {words}.", "name the word starting with {letter}: {words}.",
        ],
        "ends": [
            "which word ends with {letter}: {words}?", "pick the word that ends with {letter}: {words}.",
            "find the word with {letter} as its last letter: {words}.", "which of these ends in {letter}: {words}?",
            "give the one that ends in {letter}: {words}.", "name the word ending with {letter}: {words}.",
        ],
    },
    "passage_extraction": {
        "thing": [
            "read this. {passage} What did {name} buy?", "{passage} Which thing did {name} buy?",
            "use this text. {passage} Say what {name} bought.", "here is a text. {passage} What was bought by {name}?",
        ],
        "day": [
            "read this. {passage} On which day did {name} buy something?", "{passage} When did {name} go shopping?",
            "use this text. {passage} Name the day on which {name} went shopping.",
            "here is a text. {passage} What day did {name} choose?",
        ],
        "name": [
            "read this. {passage} Who bought the {thing}?", "{passage} Which person bought the {thing}?",
            "use this text. {passage} Name the buyer of the {thing}.",
            "here is a text. {passage} By whom was the {thing} bought?",
        ],
    },
    "table_lookup": {
        "city": [
            "use this table.\n{table}\nIn which city does {name} live?",
            "look at the table.\n{table}\nName the city of {name}.",
            "here is a table.\n{table}\nWhat is the city of {name}?",
            "read the table.\n{table}\nWhere does {name} live?",
        ],
        "points": [
            "use this table.\n{table}\nHow many points does {name} have?",
            "look at the table.\n{table}\nGive the points of {name}.",
            "here is a table.\n{table}\nWhat is the number of points of {name}?",
            "read the table.\n{table}\nSay how many points {name} has.",
        ],
        "most": [
            "use this table.\n{table}\nWho has the most points?",
            "look at the table.\n{table}\nName the one with the most points.",
            "here is a table.\n{table}\nWhich person has the highest number of points?",
            "read the table.\n{table}\nSay who leads in points.",
        ],
    },
    "json_object": {
        "one": [
            "write as JSON: {facts}.", "give a JSON object: {facts}.", "turn this into JSON: {facts}.",
            "answer in JSON: {facts}.", "make one JSON object: {facts}.", "put this in JSON: {facts}.",
        ],
        "several": [
            "write one JSON object with these keys and values: {facts}.",
            "give a JSON object with these keys and values: {facts}.",
            "turn these keys and values into one JSON object: {facts}.",
            "answer with a JSON object that holds: {facts}.",
            "put these keys and values into one JSON object: {facts}.",
        ],
    },
    "choose_items": {
        "choose": [
            "choose exactly {count} of these: {words}.", "pick exactly {count} of these words: {words}.",
            "name just {count} of these: {words}.", "list exactly {count} from this list: {words}.",
            "select {count} of these words and no more: {words}.",
        ]
    },
    "numbered_list": {
        "number": [
            "write these as a numbered list: {words}.", "number these words from 1 on, one in each line: {words}.",
            "make a numbered list, one word in each line: {words}.", "give these words as a numbered list: {words}.",
            "turn this into a numbered list: {words}.",
        ]
    },
    "exact_length": {
        "length": [
            'write a sentence of exactly {count} words with the word "{word}".',
            'use the word "{word}" in a sentence of exactly {count} words.',
            'give one sentence that has exactly {count} words, "{word}" among them.',
            'make a sentence with "{word}" in it that is exactly {count} words long.',
        ]
    },
    "required_words": {
        "required": [
            "write one sentence that uses each of these words: {words}.",
            "make one sentence with these words: {words}.",
            "put these words into one sentence: {words}.", "use each of these words in one sentence: {words}.",
        ],
        "limited": [
            "write one sentence of at most 14 words that uses each of these: {words}.",
            "make one sentence, 14 words or fewer, with these words: {words}.",
            "put these words into one sentence of no more than 14 words: {words}.",
            "use each of these words in one sentence of 14 words at most: {words}.",
        ],
    },
    "sentence_edges": {
        "first": [
            'write a sentence that starts with the word "{first}".',
            'give a sentence with "{first}" as its first word.',
            'begin a sentence with the word "{first}" and finish it.', 'make one sentence that opens with "{first}".',
        ],
        "last": [
            'write a sentence that ends with the word "{last}".', 'give a sentence with "{last}" as its last word.',
            'finish a sentence with the word "{last}".', 'make one sentence that closes with "{last}".',
        ],
        "both": [
            'write a sentence that starts with "{first}" and ends with "{last}".',
            'give a sentence whose first word is "{first}" and whose last word is "{last}".',
            'begin a sentence with "{first}" and end it with "{last}".',
            'make one sentence that opens with "{first}" and closes with "{last}".',
        ],
    },
    "rubric_label": {
        "length": [
            'label "{text}" as "short" if it has fewer than 5 words, else as "long".',
            'a text of fewer than 5 words is "short", any other is "long". Which label fits "{text}"?',
            'the label is "short" below 5 words and "long" from 5 words on. Label this: "{text}".',
            'say "short" if this has fewer than 5 words, otherwise say "long": "{text}".',
        ],
        "keyword": [
            'label "{text}" as "keep" if it has the word "{keyword}", else as "skip".',
            'a text with the word "{keyword}" is "keep", any other is "skip". Which label fits "{text}"?',
            'the label is "keep" with the word "{keyword}" and "skip" without it. Label this: "{text}".',
            'say "keep" if this has the word "{keyword}", otherwise say "skip": "{text}".',
        ],
        "ordered": [
            'label "{text}": "high" if it has the word "{keyword}"; if not, "middle" if it has more than 4 words; '
            'if not, "low".',
            'the label is "high" with the word "{keyword}". Without it, the label is "middle" for more than 4 words '
            'and "low" for 4 or fewer. Label this: "{text}".',
            'say "high" if the word "{keyword}" is in the text; otherwise "middle" if the text has more than 4 words; '
            'otherwise "low". The text: "{text}".',
        ],
    },
    "spelling": {
        "spell": [
            'spell "{word}" with a hyphen between the letters.', 'write "{word}" letter by letter, joined by hyphens.',
            'put a hyphen between each two letters of "{word}".', 'spell out "{word}" with hyphens, like c-a-t.',
        ]
    },
    "write_table": {
        "table": [
            "write these rows as a Markdown table with the columns {columns}: {facts}.",
            "make a Markdown table with the columns {columns} from these rows: {facts}.",
            "put these rows into a Markdown table under the headings {columns}: {facts}.",
            "give a Markdown table, columns {columns}, with these rows: {facts}.",
        ],
        "sorted": [
            "write these rows as a Markdown table with the columns {columns}, the most points first: {facts}.",
            "make a Markdown table with the columns {columns}, sorted from most to fewest points: {facts}.",
            "put these rows into a Markdown table under the headings {columns}, highest points on top: {facts}.",
            "give a Markdown table, columns {columns}, ordered by points from high to low: {facts}.",
        ],
    },
    "forbidden_words": {
        "without": [
            'write one sentence about a {word}, using the word "{word}" but not {forbidden}.',
            'make one sentence with the word "{word}" in it. Do not use {forbidden}.',
            'use the word "{word}" in one sentence that does not contain {forbidden}.',
            'give one sentence that has "{word}" in it and avoids {forbidden}.',
        ]
    },
    "letter_case": {
        "lower": [
            'write "{text}" in small letters.', 'put "{text}" in lower case.', 'turn "{text}" into small letters.',
            'change "{text}" to lower case letters.', 'give "{text}" all in lower case.',
        ],
        "title": [
            'start every word of "{text}" with a capital letter.', 'start each word of "{text}" with a capital.',
            'copy "{text}" and capitalise the first letter of every word.', 'put "{text}" in title case.',
        ],
        "one": [
            'copy "{text}" with only the word "{word}" in capital letters.',
            'write "{text}" again and put just "{word}" in upper case.',
            'in "{text}", turn the word "{word}" into capitals and leave the rest as it is.',
            'give "{text}" with "{word}" in all capitals, all else in small letters.',
        ],
    },
    "drop_repeats": {
        "once": [
            "write each of these words only once, in the order they first appear: {words}.",
            "remove the repeated words from this list and keep the order: {words}.",
            "leave out each word that has come before: {words}.",
            "list these words without repeats, in their first order: {words}.",
            "take out the duplicates and keep the first of each: {words}.",
        ]
    },
    "extract_items": {
        "numbers": [
            "list the numbers in this text, in order, and nothing else. {text}",
            "{text} Which numbers are in this text? List only them, in order.",
            "read this. {text} Give only its numbers, in the order they appear.",
            "here is a text. {text} Write down its numbers in order, nothing else.",
        ],
        "names": [
            "list the people in this text by name, in order, and nothing else. {text}",
            "{text} Which people are in this text? List only their names, in order.",
            "read this. {text} Give only the names of its people, in the order they appear.",
            "here is a text. {text} Write down the names of the people in order, nothing else.",
        ],
    },
    "common_words": {
        "both": [
            "list the words that are in both lists. First list: {first}. Second list: {second}.",
            "first list: {first}. Second list: {second}. Which words do they share?",
            "which words of the first list are also in the second? First: {first}. Second: {second}.",
            "here are two lists. One: {first}. Two: {second}. Give only the words that are in both.",
        ]
    },
    "word_problem": {
        "solve": [
            "{story} {ask}", "solve this. {story} {ask}", "read this and work it out. {story} {ask}",
            "here is a problem. {story} {ask}", "think about this. {story} {ask}",
        ]
    },
    "unit_conversion": {
        "convert": [
            "how many {unit} are {amount}?", "change {amount} to {unit}.", "give {amount} in {unit}.",
            "what is {amount} in {unit}?", "work out how many {unit} there are in {amount}.",
        ],
        "between": [
            "how many minutes is it from {start} to {end} on the same day?",
            "a train leaves at {start} and arrives at {end}. How many minutes does it take?",
            "a lesson starts at {start} and ends at {end}. How many minutes long is it?",
            "work out the minutes between {start} and {end} on the same day.",
        ],
    },
    "weekday": {
        "after": [
            "which day is {days} after {start}?", "what day of the week comes {days} after {start}?",
            "today is {start}. What day will it be in {days}?", "name the day that is {days} after {start}.",
        ],
        "before": [
            "which day is {days} before {start}?", "what day of the week was {days} before {start}?",
            "today is {start}. What day was it {days} ago?", "name the day that is {days} before {start}.",
        ],
    },
    "date_shift": {
        "after": [
            "which date is {days} after {start}?", "today is {start}. What date will it be in {days}?",
            "give the day and month {days} after {start}.", "what date comes {days} after {start}?",
        ],
        "before": [
            "which date is {days} before {start}?", "today is {start}. What date was it {days} ago?",
            "give the day and month {days} before {start}.", "what date came {days} before {start}?",
        ],
    },
    "ordering_logic": {
        "who": [
            "{facts} Who is the {claim}?", "read this. {facts} Who is the {claim}?",
            "use these facts. {facts} Name the {claim} person.", "here are some facts. {facts} Who is {claim} of all?",
        ]
    },
    "translate_words": {
        "there": [
            'use this word list: {dictionary}. Translate "{text}" word by word.',
            'here is a small dictionary: {dictionary}. What is "{text}" in the new language?',
            'a dictionary: {dictionary}. With it, translate "{text}" word for word.',
        ],
        "back": [
            'use this word list: {dictionary}. Translate "{text}" into English word by word.',
            'here is a small dictionary: {dictionary}. What is "{text}" in English?',
            'a dictionary: {dictionary}. With it, translate "{text}" into English word for word.',
        ],
    },
    "code_output": {
        "prints": [
            "read this Python code.\n{code}\nWhat does it print?",
            "read this Python code.\n{code}\nWhat number does it print?",
            "here is some Python code.\n{code}\nGive its output.",
            "look at this Python code.\n{code}\nSay what number it prints.",
        ]
    },
    "world_colour": {
        "ask": [
            "which colour does {name} like?", "what is the colour of {name}?", "name the colour of {name}.",
            "what colour does {name} wear?", "say which colour {name} wears.", "give the colour that {name} likes.",
            "which colour belongs to {name}?", "what colour is best for {name}?",
        ],
        "choose": [
            "does {name} like {x} or {y}?", "which is the colour of {name}, {x} or {y}?",
            "is the colour of {name} {x} or {y}?", "of {x} and {y}, which does {name} wear?",
            "pick the colour of {name}: {x} or {y}.", "say if {name} wears {x} or {y}.",
        ],
        "pair": [
            "list the colours of {name} and {other} in this order.",
            "name the colours that {name} and {other} wear, in this order.",
            "give the colours of {name} and of {other}, in this order.",
            "what are the colours of {name} and {other}, in this order?",
        ],
    },
    "world_home": {
        "ask": [
            "where does {name} live?", "what is the home of {name}?", "name the home of {name}.",
            "in which town does {name} live?", "say where {name} lives.", "give the town of {name}.",
            "which town is home for {name}?", "what town does {name} come from?",
        ],
        "choose": [
            "does {name} live in {x} or {y}?", "which is the home of {name}, {x} or {y}?",
            "is the town of {name} {x} or {y}?", "of {x} and {y}, which is the town of {name}?",
            "pick the home of {name}: {x} or {y}.", "say if {name} lives in {x} or {y}.",
        ],
        "pair": [
            "list the towns of {name} and {other} in this order.",
            "name the towns where {name} and {other} live, in this order.",
            "give the towns of {name} and of {other}, in this order.",
            "what are the towns of {name} and {other}, in this order?",
        ],
    },
    "world_job": {
        "ask": [
            "what is the job of {name}?", "what does {name} work as?", "name the job of {name}.",
            "which job does {name} have?", "say what {name} does for a living.", "give the job that {name} has.",
            "what work does {name} do?", "which work belongs to {name}?",
        ],
        "choose": [
            "is {name} a {x} or a {y}?", "which is the job of {name}, {x} or {y}?",
            "does {name} work as a {x} or a {y}?", "of {x} and {y}, which is the work of {name}?",
            "pick the job of {name}: {x} or {y}.", "say if {name} is a {x} or a {y}.",
        ],
        "pair": [
            "list the jobs of {name} and {other} in this order.",
            "name the jobs that {name} and {other} have, in this order.",
            "give the jobs of {name} and of {other}, in this order.",
            "what are the jobs of {name} and {other}, in this order?",
        ],
    },
    "world_pet": {
        "ask": [
            "what pet does {name} have?", "which animal lives with {name}?", "name the pet of {name}.",
            "what animal does {name} keep?", "say which pet {name} has.", "give the animal that {name} keeps.",
            "which pet belongs to {name}?", "what is the pet of {name}?",
        ],
        "choose": [
            "does {name} have a {x} or a {y}?", "which is the pet of {name}, {x} or {y}?",
            "is the pet of {name} a {x} or a {y}?", "of {x} and {y}, which does {name} keep?",
            "pick the pet of {name}: {x} or {y}.", "say if {name} keeps a {x} or a {y}.",
        ],
        "pair": [
            "list the pets of {name} and {other} in this order.",
            "name the animals that {name} and {other} keep, in this order.",
            "give the pets of {name} and of {other}, in this order.",
            "what are the pets of {name} and {other}, in this order?",
        ],
    },
    "world_food": {
        "ask": [
            "what food does {name} like?", "which food is best for {name}?", "name the food of {name}.",
            "what does {name} eat?", "say what {name} eats.", "give the food that {name} likes.",
            "which food belongs to {name}?", "what is the food of {name}?",
        ],
        "choose": [
            "does {name} eat {x} or {y}?", "which is the food of {name}, {x} or {y}?",
            "is the food of {name} {x} or {y}?", "of {x} and {y}, which does {name} eat?",
            "pick the food of {name}: {x} or {y}.", "say if {name} eats {x} or {y}.",
        ],
        "pair": [
            "list the foods of {name} and {other} in this order.", "name what {name} and {other} eat, in this order.",
            "give the foods of {name} and of {other}, in this order.",
            "what are the foods of {name} and {other}, in this order?",
        ],
    },
    "world_game": {
        "ask": [
            "what does {name} play?", "which game does {name} play?", "name the game of {name}.",
            "what is the game of {name}?", "say what {name} plays.", "give the game that {name} likes.",
            "which game belongs to {name}?", "what game is best for {name}?",
        ],
        "choose": [
            "does {name} play {x} or {y}?", "which is the game of {name}, {x} or {y}?",
            "is the game of {name} {x} or {y}?", "of {x} and {y}, which does {name} play?",
            "pick the game of {name}: {x} or {y}.", "say if {name} plays {x} or {y}.",
        ],
        "pair": [
            "list the games of {name} and {other} in this order.", "name what {name} and {other} play, in this order.",
            "give the games of {name} and of {other}, in this order.",
            "what are the games of {name} and {other}, in this order?",
        ],
    },
}  # fmt: skip
