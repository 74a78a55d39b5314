<p>%(CONFIG_EXT_HOSTNAME) is served by %(USER), made with %(`echo a template`); $(USER) stays.</p>
