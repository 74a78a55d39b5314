# Chaperone with a Node of its own, in /usr/local/lib/chaperone: docs/guide/containers.md tells how to add it to another image.

FROM node:22-bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ gcc libc6-dev make python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN node scripts/build.mjs
# The code cache fits exactly the node that made it, so the two stay together. The launcher takes the node beside it.
RUN mkdir -p /out \
 && cp -r dist/chaperone dist/*.cjs dist/inspect-page dist/main.cache dist/main.cjs.map dist/parts dist/*.node /out/ \
 && cp "$(command -v node)" /out/node \
 && for name in chaperonectl sdnotify telchap; do ln -s chaperone "/out/$name" || exit 1; done

FROM debian:bookworm-slim
COPY --from=build /out /usr/local/lib/chaperone
RUN for name in chaperone chaperonectl sdnotify telchap; do ln -s "../lib/chaperone/$name" /usr/local/bin/ || exit 1; done \
 && mkdir /etc/chaperone.d
STOPSIGNAL SIGTERM
ENTRYPOINT ["chaperone"]
