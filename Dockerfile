# One image for web, worker, beat, the speech server and the one-shot migration; compose gives each its command.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements/boot.lock requirements/runtime.lock requirements/
RUN python -m venv /boot \
 && /boot/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/boot.lock \
 && /boot/bin/uv venv --python python3 /venv \
 && /boot/bin/uv pip sync --no-cache --require-hashes --no-build --python /venv/bin/python requirements/runtime.lock

FROM python:3.11-slim-bookworm
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONUTF8=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    PARLANCE_STATIC_DIR=/app/staticfiles \
    PARLANCE_MEDIA_DIR=/data/media
RUN useradd --system --uid 10001 --create-home --home-dir /home/parlance parlance \
 && install -d -o parlance -g parlance -m 0700 /data /data/media /data/audit /data/speech /data/run
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
# The base settings, with a key that signs nothing: only the static files are collected here.
RUN DJANGO_SETTINGS_MODULE=config.settings.local PARLANCE_SECRET_KEY=collectstatic-signs-nothing \
    python manage.py collectstatic --noinput --verbosity 0 \
 && python -m compileall -q .
USER parlance
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "config.wsgi:application", "-k", "gthread", "--workers", "2", "--threads", "8", \
     "--bind", "0.0.0.0:8000", "--graceful-timeout", "20", "--no-control-socket", "--worker-tmp-dir", "/dev/shm"]
