/** Where the configuration is if nobody says where. */
export const defaultConfig = '/etc/chaperone.d';
