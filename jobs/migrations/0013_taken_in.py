"""Each statement that makes records says so among the figures, whichever way they come."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION jobs_record_taken() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.jobs_figureslice (at, job_id, tenant_id, what, number)
    SELECT clock_timestamp(), job_id, tenant_id, 'taken', count(*) FROM made GROUP BY job_id, tenant_id;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_record_taken AFTER INSERT ON jobs_record
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION jobs_record_taken();
"""
BACKWARD = "DROP TRIGGER jobs_record_taken ON jobs_record; DROP FUNCTION jobs_record_taken();"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0012_figures")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
