# Sourced by the Executor of `Surrounded`: what it exports is for the Task alone.
export SITE_SETTING="from the script"
export PYTHONHOME_OF_SITE=/nowhere
