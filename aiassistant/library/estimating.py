"""What a task would cost a month: the conversations of the last 30 days that pass its filters × tokens × price.

A page stands in the tenant of its viewer and may enter no other, so a worker counts: the page leaves its question in the
cache and finds the answer there. Rails and filters are judged by the functions of a pass; nothing is written.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from aiassistant.choosing import Choice
from aiassistant.engines.base import OutputType, Usage
from aiassistant.engines.schemas import strict_schema
from aiassistant.engines.tokens import LEAST, MOST, PER_MESSAGE, estimate
from aiassistant.executing.models import Execution
from aiassistant.facts import filter_facts
from aiassistant.library.definitions import AppliesTo, TaskDefinition
from aiassistant.library.models import AITask, TaskActivation
from aiassistant.library.selectors import definition_for, production_of
from aiassistant.pricing import cost_micros, price_at
from aiassistant.selectors import engine_table, prices_of
from conversations.models import Call
from conversations.texts import TextFacts, text_facts, texts_of
from jobs.custom_fields import custom_facts
from jobs.filters import judge_filters
from licensing.models import Bundle
from licensing.selectors import licensed_users
from queues.events import RecordType
from tenants.doors import enter
from tenants.models import Tenant

DAYS = 30
# So many of the newest conversations are judged; what there is beyond is taken to be like them.
SAMPLE = 2000
BATCH = 500
# So many texts are read to learn how many tokens a character costs in this tenant's languages.
TEXTS = 40
# About how many tokens an answer takes, by type; explanations and quotes come on top.
ANSWER = {OutputType.LONG_TEXT: 150, OutputType.TEXT: 25, OutputType.MULTI_CHOICE: 20}
SMALL_ANSWER, EXPLANATION_TOKENS, EVIDENCE_TOKENS = 6, 40, 60
# From so many executions of the version by the engine on, what they took replaces what would be guessed.
LEAST_SEEN, MOST_SEEN = 5, 500
KEPT_S, ASKED_S = 600, 30


@dataclass(frozen=True, slots=True)
class Monthly:
    """Of ``found`` conversations of the last 30 days ``judged`` were judged, and ``matched`` would be asked about.

    ``conversations`` is that for all found; ``prompt`` and ``completion`` are tokens a month. ``cost_micros`` is None
    without a price row, and 0 for an engine that counts no tokens. ``engine`` is empty when none is chosen.
    """

    found: int
    judged: int
    matched: int
    conversations: int
    prompt: int
    completion: int
    engine: str = ""
    model: str = ""
    currency: str = ""
    cost_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A task of one tenant, in the version that would run there."""

    tenant_id: str
    task_id: int
    version_id: int

    def key(self) -> str:
        """The same question has the same key, whoever asks."""
        return f"aitasks.estimate:{hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()}"


def question_of(tenant: Tenant, task: AITask) -> Question | None:
    """About the tenant's override, or else the version in production; None when there is neither."""
    chosen = TaskActivation.objects.filter(tenant=tenant, task=task).select_related("override").first()
    version = (chosen.override if chosen is not None else None) or production_of(task)
    return None if version is None else Question(str(tenant.pk), task.pk, version.pk)


def ask(question: Question) -> tuple[Monthly | None, bool]:
    """The answer if it is known already, and whether a worker has to be asked for it now."""
    known = cache.get(question.key())
    if known is not None:
        return Monthly(**known), False
    return None, cache.add(f"{question.key()}:asked", asdict(question), ASKED_S)


def answer_asked(key: str) -> None:
    """In a worker, outside any tenant: answer the question that was left under ``key``, if it is still there."""
    asked = cache.get(f"{key}:asked")
    if asked is None:
        return
    question = Question(**asked)
    task = AITask.objects.get(pk=question.task_id)
    version = task.versions.get(pk=question.version_id)
    tenant = Tenant.objects.get(pk=uuid.UUID(question.tenant_id))
    cache.set(key, asdict(monthly(tenant, definition_for(task, version))), KEPT_S)


def monthly(tenant: Tenant, task: TaskDefinition) -> Monthly:
    """The estimate for one tenant, outside any: it enters itself. At most ten queries a batch of 500 conversations."""
    with enter(tenant):
        since = timezone.now() - timedelta(days=DAYS)
        recent = Call.objects.filter(started_at__gte=since)
        found = recent.count()
        ids = list(recent.order_by("-started_at", "-pk").values_list("pk", flat=True)[:SAMPLE])
        matched = [facts for at in range(0, len(ids), BATCH) for facts in _passing(tenant, task, ids[at : at + BATCH])]
        per_char = _tokens_a_character([facts.record_id for facts in matched[:TEXTS]])
    choice = engine_table().choose(tenant.pk, task=task.engine_id)
    guessed = {facts.record_id: facts.text_chars * per_char + overhead(task) for facts in matched}
    seen = _seen(tenant, task, choice, guessed)
    scale = found / len(ids) if ids else 0.0
    requests = round(len(matched) * scale)
    prompt, completion = sum(guessed.values()) * scale, float(requests * answer_tokens(task))
    if seen is not None:
        prompt, completion = prompt * seen.prompt_ratio, requests * seen.completion
    elif choice.engine is not None:
        prompt *= min(max(choice.engine.calibration, LEAST), MOST)
    counted = Monthly(found, len(ids), len(matched), requests, round(prompt), round(completion))
    return _priced(counted, choice, task)


@dataclass(frozen=True, slots=True)
class Seen:
    """What executions took: prompts as a share of what is guessed of them, and the tokens of an answer."""

    prompt_ratio: float
    completion: float


def _seen(tenant: Tenant, task: TaskDefinition, choice: Choice, guessed: Mapping[uuid.UUID, float]) -> Seen | None:
    """From the newest executions of this version by this engine in the tenant; None while there are too few."""
    if choice.engine is None:
        return None
    rows = Execution.objects.filter(tenant=tenant, task_version=task.version_id, engine=choice.engine, attempts__gt=0)
    newest = rows.order_by("-ended_at").values_list("record_id", "prompt_tokens", "completion_tokens")[:MOST_SEEN]
    known = [(guessed[pk], prompt, completion) for pk, prompt, completion in newest if pk in guessed]
    if len(known) < LEAST_SEEN:
        return None
    ratio = sum(row[1] for row in known) / sum(row[0] for row in known)
    return Seen(ratio, sum(row[2] for row in known) / len(known))


def _passing(tenant: Tenant, task: TaskDefinition, ids: Sequence[uuid.UUID]) -> list[TextFacts]:
    facts = text_facts(ids)
    users = {each.user_id for each in facts.values() if each.user_id is not None}
    licensed = licensed_users(users, Bundle.SPEECH_ANALYTICS)
    custom = custom_facts(tenant, facts, task.filters)
    return [
        each
        for pk, each in facts.items()
        if within_rails(task, each)
        and judge_filters(task.filters, filter_facts(tenant, each, licensed) | custom[pk])[0] is None
    ]


def within_rails(task: TaskDefinition, facts: TextFacts) -> bool:
    """Whether there is a text of the kind and the least size that the task is for."""
    spoken = facts.record_type == RecordType.CALL
    fits = task.applies_to == AppliesTo.ANY or (task.applies_to == AppliesTo.VOICE) == spoken
    long_enough = facts.duration_ms is None or facts.duration_ms >= 1000 * task.limits.min_duration_s
    return facts.has_text and fits and long_enough and facts.word_count >= task.limits.min_words


def _tokens_a_character(ids: Sequence[uuid.UUID]) -> float:
    """Of the words themselves; turns bring a line head of a few tokens each, which is spread over the characters."""
    texts = [text for text in texts_of(ids).values() if text.plain]
    characters = sum(len(text.plain) for text in texts)
    tokens = sum(estimate(text.plain) + 8 * len(text.turns) for text in texts)
    return tokens / characters if characters else 0.0


def overhead(task: TaskDefinition) -> int:
    """Tokens of a request beside the conversation: instructions, request and schema."""
    schema = json.dumps(strict_schema(task.outputs), ensure_ascii=False)
    return round(estimate(task.system_template) + estimate(task.user_template) + estimate(schema) + 2 * PER_MESSAGE)


def answer_tokens(task: TaskDefinition) -> int:
    """Tokens of an answer, by the types of its outputs."""
    return sum(_answer(output.type, output.explanation, output.evidence) for output in task.outputs)


def _answer(kind: OutputType, explanation: bool, evidence: bool) -> int:
    beside: Iterable[int] = (EXPLANATION_TOKENS * explanation, EVIDENCE_TOKENS * evidence)
    return ANSWER.get(kind, SMALL_ANSWER) + SMALL_ANSWER + sum(beside)


def _priced(counted: Monthly, choice: Choice, task: TaskDefinition) -> Monthly:
    """With the tokens as this engine counts them, and their price today."""
    engine = choice.engine
    if engine is None:
        return counted
    made = asdict(counted)
    model = task.model or str(engine.settings.get("model", ""))
    if engine.engine_type == "offline":
        return Monthly(**made | {"engine": engine.name, "prompt": 0, "completion": 0, "cost_micros": 0})
    price = price_at(prices_of([engine.pk]).get(engine.pk, ()), model=model, day=timezone.now().date())
    cost = None if price is None else cost_micros(price, Usage(prompt=counted.prompt, completion=counted.completion))
    currency = "" if price is None else price.currency
    more = {"engine": engine.name, "model": model, "cost_micros": cost, "currency": currency}
    return Monthly(**made | more)
