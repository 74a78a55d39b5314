/* Memory that grows by pages and never moves to the heap of a C library. */
#include "body.h"

#include <sys/mman.h>

#define PAGE_BYTES ((size_t)16384)

bool grow(struct store *store, size_t more, size_t most) {
  const size_t wanted = store->size + more;
  if (wanted > most) return false;
  if (wanted <= store->capacity) return true;
  size_t capacity = store->capacity == 0 ? PAGE_BYTES : store->capacity * 2;
  while (capacity < wanted) capacity *= 2;
  void *bytes = store->bytes == NULL
                    ? mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                    : mremap(store->bytes, store->capacity, capacity, MREMAP_MAYMOVE);
  if (bytes == MAP_FAILED) return false;
  store->bytes = bytes;
  store->capacity = capacity;
  return true;
}
