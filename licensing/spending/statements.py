"""The SQL of tokens and money: each statement writes lines and the sums over them at once, in one order of locks."""

SUMS = """
    count(*) FILTER (WHERE number = 1), count(*), count(*) FILTER (WHERE part IN ('retry', 'repair')),
    sum(prompt), sum(cached), sum(completion), sum(reasoning),
    coalesce(sum(prompt + completion) FILTER (WHERE part IN ('retry', 'repair')), 0),
    sum(cost), coalesce(sum(cost) FILTER (WHERE part IN ('retry', 'repair')), 0), count(*) FILTER (WHERE estimated)
"""
FIGURES = (
    "executions",
    "requests",
    "again",
    "prompt",
    "cached",
    "completion",
    "reasoning",
    "again_tokens",
    "cost",
    "again_cost",
    "estimated",
)
ADDED = ", ".join(f"{name} = licensing_dailyspend.{name} + excluded.{name}" for name in FIGURES)
DAILY_COLUMNS = f"tenant_id, period, day, task, engine, model, currency, {', '.join(FIGURES)}"

# A line that is there already adds nothing to any sum. What was held for its request is free again.
CHARGE = f"""
WITH lines AS (
    INSERT INTO licensing_spendline (tenant_id, request, number, part, task, task_version, engine, model, record_type,
        record_id, prompt, cached, completion, reasoning, estimated, cost, currency, price, playground, period, day,
        zone, at)
    SELECT %(tenant)s, w.request, w.number, w.part, w.task, w.task_version, w.engine, w.model, w.record_type,
        w.record_id, w.prompt, w.cached, w.completion, w.reasoning, w.estimated, w.cost, w.currency, w.price,
        w.playground, %(period)s, %(day)s, %(zone)s, %(at)s
    FROM jsonb_to_recordset(%(lines)s::jsonb) AS w(request text, number int, part text, task bigint,
        task_version bigint, engine bigint, model text, record_type text, record_id uuid, prompt bigint, cached bigint,
        completion bigint, reasoning bigint, estimated boolean, cost bigint, currency text, price bigint,
        playground boolean)
    ORDER BY w.request, w.number
    ON CONFLICT (tenant_id, request, number) DO NOTHING
    RETURNING *
), daily AS (
    INSERT INTO licensing_dailyspend ({DAILY_COLUMNS})
    SELECT tenant_id, period, day, task, engine, model, currency, {SUMS} FROM lines
    GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 4, 5, 6, 7
    ON CONFLICT (tenant_id, period, day, task, engine, model, currency) DO UPDATE SET {ADDED}
), totals AS (
    INSERT INTO licensing_spendtotal (month, task, engine, currency, shard, tokens, cost)
    SELECT %(month)s, task, engine, currency, %(shard)s, sum(prompt + completion), sum(cost) FROM lines
    GROUP BY 2, 3, 4 ORDER BY 2, 3, 4
    ON CONFLICT (month, task, engine, currency, shard) DO UPDATE
        SET tokens = licensing_spendtotal.tokens + excluded.tokens, cost = licensing_spendtotal.cost + excluded.cost
), freed AS (
    DELETE FROM licensing_spendhold WHERE tenant_id = %(tenant)s AND request = ANY(%(requests)s)
)
SELECT count(*) FROM lines
"""  # noqa: S608 - constants of this module only

HOLD = """
INSERT INTO licensing_spendhold (tenant_id, request, task, engine, tokens, cost, currency, until)
SELECT %(tenant)s, w.request, w.task, w.engine, w.tokens, w.cost, w.currency,
    statement_timestamp() + %(seconds)s * interval '1 second'
FROM jsonb_to_recordset(%(lines)s::jsonb) AS w(request text, task bigint, engine bigint, tokens bigint, cost bigint,
    currency text)
ON CONFLICT (tenant_id, request) DO UPDATE
    SET tokens = excluded.tokens, cost = excluded.cost, currency = excluded.currency, until = excluded.until
"""

# What is used and held within each scope: those of one tenant by its month, those of all tenants by the month of UTC.
TAKEN = """
SELECT s.id,
    coalesce(CASE WHEN s.tenant IS NULL
        THEN (SELECT sum(CASE WHEN s.currency = '' THEN t.tokens ELSE t.cost END) FROM licensing_spendtotal t
            WHERE t.month = s.period AND (s.task IS NULL OR t.task = s.task) AND (s.engine IS NULL OR t.engine = s.engine)
                AND (s.currency = '' OR t.currency = s.currency))
        ELSE (SELECT sum(CASE WHEN s.currency = '' THEN d.prompt + d.completion ELSE d.cost END)
            FROM licensing_dailyspend d
            WHERE d.tenant_id = s.tenant AND d.period = s.period AND (s.task IS NULL OR d.task = s.task)
                AND (s.engine IS NULL OR d.engine = s.engine) AND (s.currency = '' OR d.currency = s.currency))
        END, 0)::bigint,
    coalesce((SELECT sum(CASE WHEN s.currency = '' THEN h.tokens ELSE h.cost END) FROM licensing_spendhold h
        WHERE (s.tenant IS NULL OR h.tenant_id = s.tenant) AND (s.task IS NULL OR h.task = s.task)
            AND (s.engine IS NULL OR h.engine = s.engine) AND (s.currency = '' OR h.currency = s.currency)
            AND h.until > statement_timestamp()
            AND NOT (h.tenant_id = %(tenant)s AND h.request = ANY(%(requests)s))), 0)::bigint
FROM jsonb_to_recordset(%(scopes)s::jsonb)
    AS s(id bigint, tenant uuid, task bigint, engine bigint, currency text, period text)
"""
