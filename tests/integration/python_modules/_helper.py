"""For the other modules: a name that begins with _ is no op."""


def shout(text):
    return text.upper()
