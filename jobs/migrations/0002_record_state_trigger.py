"""The database itself refuses illegal moves of a record (security R1)."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION jobs_record_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'in_progress' AND NEW.state <> OLD.state
        AND NOT (NEW.state = 'in_progress' AND NEW.generation = OLD.generation + 1) THEN
        RAISE EXCEPTION 'record % cannot go from % to % in generation %', OLD.id, OLD.state, NEW.state, NEW.generation;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_record_guard BEFORE UPDATE OF state ON jobs_record
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION jobs_record_guard();
"""
BACKWARD = "DROP TRIGGER jobs_record_guard ON jobs_record; DROP FUNCTION jobs_record_guard();"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
