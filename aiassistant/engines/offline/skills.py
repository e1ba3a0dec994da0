"""What the built-in engine can do. The same conversation gets the same answer; every quote stands in the conversation."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import regex

from aiassistant.engines.base import Output, OutputType
from aiassistant.engines.offline.reading import STOP_WORDS, Sentence, content_words
from aiassistant.engines.offline.rules import Rule
from core.outcomes import EngineError, ErrorClass

QUOTES = 3
SUMMARY_CHARACTERS = 600
TOPICS = 5
TOPIC_WORDS = 3
MATCH_S = 0.25
# Fewer words tell nothing about a language.
LEAST_WORDS = 5


@dataclass(frozen=True, slots=True)
class Found:
    """A value, why, and quotes."""

    value: Any
    explanation: str
    quotes: tuple[str, ...] = ()


def sentiment(output: Output, rule: Rule, sentences: Sequence[Sentence], language: str) -> Found:
    """The mean of the sentences that are not neutral, by the lexicon of VADER, on the scale of the output."""
    if language != "en":
        return Found(None, f"Not judged: the lexicon is English, the conversation is “{language or 'unknown'}”.")
    analyser = _analyser()
    scored = [(analyser.polarity_scores(sentence.text)["compound"], sentence) for sentence in sentences]
    told = [(score, sentence) for score, sentence in scored if abs(score) >= 0.05]
    mean = sum(score for score, _sentence in told) / len(told) if told else 0.0
    low, high = float(output.minimum or 0), float(output.maximum or 0)
    value: float = low + (high - low) * (mean + 1) / 2
    value = round(value) if output.type == OutputType.INTEGER else round(value, 1)
    strongest = [sentence for _score, sentence in sorted(told, key=lambda pair: (-abs(pair[0]), pair[1].text))]
    why = f"{len(told)} of {len(scored)} sentences carry sentiment; their mean is {mean:+.2f} from −1 to +1."
    return Found(value, why, _quotes(strongest))


def summary(output: Output, rule: Rule, sentences: Sequence[Sentence], language: str) -> Found:
    """The sentences whose words are said most often, in their order."""
    counts = Counter(word for sentence in sentences for word in set(content_words(sentence)))
    scored = [
        (sum(counts[word] for word in set(words)) / (len(words) + 4), -at)
        for at, sentence in enumerate(sentences)
        if len(words := content_words(sentence)) >= 3
    ]
    limit = min(output.max_length or SUMMARY_CHARACTERS, SUMMARY_CHARACTERS)
    chosen: list[int] = []
    said: set[str] = set()
    used = 0
    for _score, at in sorted(scored, reverse=True):
        text = sentences[-at].text
        size = len(text) + 1
        if used + size <= limit + 1 and text not in said:
            chosen.append(-at)
            said.add(text)
            used += size
    lines = [sentences[at].text for at in sorted(chosen)]
    value = " ".join(lines) or (sentences[0].text[:limit] if sentences else "")
    return Found(value, f"{len(lines)} of {len(sentences)} sentences, word for word.", tuple(lines[:QUOTES]))


def topics(output: Output, rule: Rule, sentences: Sequence[Sentence], language: str) -> Found:
    """Phrases between words without meaning, by how often their words are said and how long they are (after RAKE)."""
    if output.type == OutputType.MULTI_CHOICE:
        by_words = {choice: [choice] for choice in output.choices}
        return phrases(output, rule.model_copy(update={"choices": by_words}), sentences, language)
    weights: dict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    candidates: Counter[tuple[str, ...]] = Counter()
    for sentence in sentences:
        for means, group in groupby(sentence.words, key=lambda word: len(word) > 2 and word not in STOP_WORDS):
            words = tuple(group)[:TOPIC_WORDS]
            if means:
                candidates[words] += 1
                counts.update(words)
                for word in words:
                    weights[word] += len(words)
    scored = {
        words: sum(weights[word] / counts[word] for word in words) * (1 + number) * min(len("".join(words)), 12)
        for words, number in candidates.items()
    }
    chosen: list[str] = []
    for words in sorted(scored, key=lambda words: (-scored[words], words)):
        text = " ".join(words)
        if not any(set(words) & set(other.split()) for other in chosen):
            chosen.append(text)
        if len(chosen) == TOPICS:
            break
    value = ", ".join(chosen)[: output.max_length or 500]
    quotes = _saying(sentences, chosen[:QUOTES])
    return Found(value, "The phrases whose words are said most.", quotes)


def language_of(output: Output, rule: Rule, sentences: Sequence[Sentence], language: str) -> Found:
    """The code of the language, or nothing for a few words."""
    if not language:
        return Found(None, "Too few words to tell.")
    return Found(language, "By the letters and words that are used.")


def phrases(output: Output, rule: Rule, sentences: Sequence[Sentence], language: str) -> Found:
    """Whether, how often or for which choices phrases are said; words must be whole."""
    heard = _heard(rule, sentences)
    if output.type in {OutputType.BOOLEAN, OutputType.INTEGER}:
        hits = [sentence for sentence in heard for phrase in rule.phrases if _says(sentence, phrase)]
        value = bool(hits) if output.type == OutputType.BOOLEAN else len(hits)
        return Found(value, f"{len(hits)} hits of {len(rule.phrases)} phrases.", _quotes(hits))
    by_choice = {
        choice: [sentence for sentence in heard for phrase in said if _says(sentence, phrase)]
        for choice, said in rule.choices.items()
    }
    found = [choice for choice in output.choices if by_choice.get(choice)]
    best = max(found, key=lambda choice: len(by_choice[choice]), default=None)
    if output.type == OutputType.MULTI_CHOICE:
        quotes = _quotes([by_choice[choice][0] for choice in found])
        return Found(found, f"{len(found)} of {len(output.choices)} choices are said.", quotes)
    hits = by_choice[best] if best else []
    return Found(best, f"{len(hits)} hits." if best else "None of the phrases is said.", _quotes(hits))


def pattern(output: Output, rule: Rule, sentences: Sequence[Sentence], language: str) -> Found:
    """What regular expressions match, sentence by sentence, each for at most a quarter of a second.

    Raises EngineError (INPUT) for one that takes longer.
    """
    hits: list[Sentence] = []
    first = None
    for expression in rule.patterns:
        compiled = regex.compile(expression, regex.IGNORECASE)
        for sentence in _heard(rule, sentences):
            try:
                match = compiled.search(sentence.text, timeout=MATCH_S)
            except TimeoutError:
                message = f"A regular expression of the output “{output.name}” takes too long."
                raise EngineError(ErrorClass.INPUT, message, code="pattern_timeout") from None
            if match is not None:
                hits.append(sentence)
                first = match[0] if first is None else first
    why = f"{len(hits)} sentences match."
    if output.type == OutputType.BOOLEAN:
        return Found(bool(hits), why, _quotes(hits))
    if output.type == OutputType.INTEGER:
        return Found(len(hits), why, _quotes(hits))
    return Found(first[: output.max_length or 500] if first else None, why, _quotes(hits[:1]))


def detected(sentences: Sequence[Sentence], told: str) -> str:
    """The code of the language of two letters: what the transcript says, else by py3langid; "" for a few words."""
    if told:
        return told.partition("-")[0].lower()
    words = [word for sentence in sentences[:200] for word in sentence.words]
    if len(words) < LEAST_WORDS:
        return ""
    import py3langid

    code: str = py3langid.classify(" ".join(words))[0]
    return code


SKILLS = {
    "sentiment": sentiment,
    "summary": summary,
    "topics": topics,
    "language": language_of,
    "phrases": phrases,
    "pattern": pattern,
}


def _heard(rule: Rule, sentences: Sequence[Sentence]) -> list[Sentence]:
    return [sentence for sentence in sentences if rule.speaker in {"any", sentence.speaker}]


def _says(sentence: Sentence, phrase: str) -> bool:
    wanted = _words_of(phrase)
    return any(sentence.words[at : at + len(wanted)] == wanted for at in range(len(sentence.words) - len(wanted) + 1))


@lru_cache(maxsize=2048)
def _words_of(phrase: str) -> tuple[str, ...]:
    return tuple(regex.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", phrase.lower().replace("’", "'"))) or (phrase.lower(),)


def _saying(sentences: Sequence[Sentence], wanted: Sequence[str]) -> tuple[str, ...]:
    hits = [next((sentence for sentence in sentences if _says(sentence, text)), None) for text in wanted]
    return _quotes([hit for hit in hits if hit is not None])


def _quotes(hits: Sequence[Sentence]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentence.text for sentence in hits))[:QUOTES]


@lru_cache(maxsize=1)
def _analyser() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
