/*
 * The edge: the system calls that Node lacks, for src/runtime/linux/native.ts. Each function wraps the call of one man
 * page.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

NAPI_MODULE_INIT() {
  static const struct {
    const char *name;
    napi_callback function;
  } functions[] = {
      {"kill", edge_kill},
      {"pipe", edge_pipe},
      {"readNow", edge_read_now},
      {"writeNow", edge_write_now},
      {"watchSignal", edge_watch_signal},
      {"exitNow", edge_exit_now},
      {"randomHex", edge_random_hex},
      {"descriptorLimit", edge_descriptor_limit},
      {"setBlocking", edge_set_blocking},
      {"waitingBytes", edge_waiting_bytes},
      {"duplicate", edge_duplicate},
      {"replaceDescriptor", edge_replace_descriptor},
      {"lockFile", edge_lock_file},
      {"openPidfd", edge_open_pidfd},
      {"pidfdExit", edge_pidfd_exit},
      {"signalPidfd", edge_signal_pidfd},
      {"watchReadable", edge_watch_readable},
      {"bindDatagram", edge_bind_datagram},
      {"sendDatagram", edge_send_datagram},
      {"probeDatagram", edge_probe_datagram},
      {"passCredentials", edge_pass_credentials},
      {"refuseDescriptors", edge_refuse_descriptors},
      {"discard", edge_discard},
      {"receiveBatch", edge_receive_batch},
      {"receiveDatagrams", edge_receive_datagrams},
      {"listenTcp", edge_listen_tcp},
      {"localPort", edge_local_port},
      {"acceptConnection", edge_accept_connection},
      {"peerCredentials", edge_peer_credentials},
      {"peerGroups", edge_peer_groups},
      {"makeFifo", edge_make_fifo},
      {"packetPair", edge_packet_pair},
      {"sendPacket", edge_send_packet},
      {"receivePacket", edge_receive_packet},
      {"memoryFile", edge_memory_file},
      {"setTitle", edge_set_title},
      {"wallClockChanges", edge_wall_clock_changes},
      {"makeNode", edge_make_node},
      {"listAttributes", edge_list_attributes},
      {"getAttribute", edge_get_attribute},
      {"setAttribute", edge_set_attribute},
      {"setTimes", edge_set_times},
      {"nextData", edge_next_data},
      {"syncFileSystem", edge_sync_file_system},
  };
  if (!keep_instance(env)) return NULL;
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  return exports;
}
