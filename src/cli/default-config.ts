/** The place of the configuration where no option and no variable names one. */
export const defaultConfig = '/etc/chaperone.d';
