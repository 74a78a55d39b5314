"""Prints what supervisord itself makes of a file, as JSON: a list of its processes in the order of their starts."""
import json
import shlex
import signal
import sys
import warnings

warnings.simplefilter('ignore')
from supervisor.datatypes import Automatic, RestartUnconditionally, RestartWhenExitUnexpected  # noqa: E402
from supervisor.options import ServerOptions  # noqa: E402


def log(config, stream):
    file = getattr(config, stream + '_logfile')
    return {
        'file': 'auto' if file is Automatic else 'none' if file is None else {'path': file},
        'maxBytes': getattr(config, stream + '_logfile_maxbytes'),
        'backups': getattr(config, stream + '_logfile_backups'),
        'syslog': getattr(config, stream + '_syslog'),
    }


restarts = {RestartUnconditionally: 'always', RestartWhenExitUnexpected: 'unexpected', False: 'never'}


def told(group, config):
    return {
        'name': config.name,
        'group': group.name,
        'groupPriority': group.priority,
        'priority': config.priority,
        'words': shlex.split(config.command),
        'autostart': config.autostart,
        'autorestart': restarts[config.autorestart],
        'startsecs': config.startsecs,
        'startretries': config.startretries,
        'exitcodes': config.exitcodes,
        'stopsignal': signal.Signals(config.stopsignal).name,
        'stopwaitsecs': config.stopwaitsecs,
        'stopasgroup': config.stopasgroup,
        'killasgroup': config.killasgroup,
        'uid': config.uid,
        'directory': config.directory,
        'umask': config.umask,
        'environment': config.environment,
        'redirectStderr': config.redirect_stderr,
        'stdout': log(config, 'stdout'),
        'stderr': log(config, 'stderr'),
    }


results = {}
for path in sys.argv[1:]:
    options = ServerOptions()
    try:
        options.configfile = path
        options.here = path.rsplit('/', 1)[0]
        options.read_config(path)
        groups = options.configroot.supervisord.process_group_configs
        results[path] = [told(group, config) for group in groups for config in sorted(group.process_configs)]
    except ValueError as error:
        results[path] = str(error)
json.dump(results, sys.stdout)
