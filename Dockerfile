# Chaperone with a Node of its own, in /usr/local/lib/chaperone, and its programs in /usr/local/bin. /usr/local holds nothing else,
# so that one line adds it to another image (docs/guide/containers.md). `sv` is in the folder alone: an image may have one of its own.

FROM node:22-bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ gcc libc6-dev make python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN node scripts/build.mjs
# Node, stripped, with the loader and the libraries that it needs, so that the folder runs in an image of any other C library.
RUN node scripts/folder.mjs /out

FROM debian:bookworm-slim
RUN rm -r /usr/local && mkdir /etc/chaperone.d
COPY --from=build /out /usr/local
STOPSIGNAL SIGTERM
ENTRYPOINT ["chaperone"]
