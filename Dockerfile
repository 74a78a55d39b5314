# Chaperone with a Node of its own, in /usr/local/lib/chaperone: docs/guide/containers.md tells how to add it to another image.

FROM node:22-bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ gcc libc6-dev make python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts && npm rebuild unix-dgram
COPY . .
RUN node scripts/build.mjs
# The code cache fits exactly the node that made it, so the two stay together. The launcher takes the node beside it.
RUN mkdir -p /out \
 && cp dist/chaperone dist/*.cjs dist/main.cache dist/*.node /out/ \
 && cp "$(command -v node)" /out/node

FROM debian:bookworm-slim
COPY --from=build /out /usr/local/lib/chaperone
RUN ln -s ../lib/chaperone/chaperone /usr/local/bin/chaperone \
 && mkdir /etc/chaperone.d
STOPSIGNAL SIGTERM
ENTRYPOINT ["chaperone"]
