"""Each statement that adds or removes items says so in the account of their queues, whoever sends it."""

from django.db import migrations

# Creating the triggers keeps writers out until the commit, so what is counted last is what the account begins with.
FORWARD = """
CREATE FUNCTION queues_item_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.queues_queueflow (queue_id, minute, came, went)
    SELECT queue_id, date_trunc('minute', clock_timestamp()), count(*), 0 FROM moved GROUP BY queue_id;
    RETURN NULL;
END $$;
CREATE FUNCTION queues_item_went() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.queues_queueflow (queue_id, minute, came, went)
    SELECT queue_id, date_trunc('minute', clock_timestamp()), 0, count(*) FROM moved GROUP BY queue_id;
    RETURN NULL;
END $$;
CREATE TRIGGER queues_item_came AFTER INSERT ON queues_queueitem
    REFERENCING NEW TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION queues_item_came();
CREATE TRIGGER queues_item_went AFTER DELETE ON queues_queueitem
    REFERENCING OLD TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION queues_item_went();
INSERT INTO queues_queueflow (queue_id, minute, came, went, folded)
SELECT queue_id, 'epoch', count(*), 0, true FROM queues_queueitem GROUP BY queue_id;
"""
BACKWARD = """
DROP TRIGGER queues_item_went ON queues_queueitem;
DROP TRIGGER queues_item_came ON queues_queueitem;
DROP FUNCTION queues_item_went();
DROP FUNCTION queues_item_came();
DELETE FROM queues_queueflow;
"""


class Migration(migrations.Migration):
    dependencies = [("queues", "0002_pausing_and_flow")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
