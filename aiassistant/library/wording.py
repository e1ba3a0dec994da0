"""What is wrong with prompts and outputs, in the words of the viewer."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from aiassistant.library.outputs import OutputError
from aiassistant.library.outputs import Problem as OutputProblem
from aiassistant.library.templates import Problem as TemplateProblem
from aiassistant.library.templates import TemplateError
from customfields.models import Type

TEMPLATES: dict[TemplateProblem, str | Promise] = {
    TemplateProblem.TOO_LONG: _("At most %(most)s characters."),
    TemplateProblem.MANY_TAGS: _("At most %(most)s variables and conditions."),
    TemplateProblem.NO_TAG: _("Line %(line)s: “%(what)s” is neither a variable nor a condition."),
    TemplateProblem.OPEN: _("Line %(line)s: “{{” is never closed."),
    TemplateProblem.UNKNOWN: _("Line %(line)s: there is no variable “%(what)s”."),
    TemplateProblem.FILTER: _("Line %(line)s: there is no filter “%(what)s”."),
    TemplateProblem.NO_IF: _("Line %(line)s: “{{/if}}” without a condition."),
    TemplateProblem.NO_END: _("Line %(line)s: the condition is never ended by “{{/if}}”."),
    TemplateProblem.DEEP: _("Line %(line)s: conditions stand in each other more than %(most)s deep."),
    TemplateProblem.NO_TRANSCRIPT: _("The variable “{{transcript}}” must stand here exactly once."),
    TemplateProblem.CONDITIONAL: _("“{{transcript}}” must not stand in a condition."),
    TemplateProblem.NOT_HERE: _(
        "Line %(line)s: “%(what)s” holds what callers say. It can stand in the request, not in the instructions."
    ),
    TemplateProblem.SIGNS: _("The text has control characters."),
}
OUTPUTS: dict[OutputProblem, str | Promise] = {
    OutputProblem.NOT_A_LIST: _("A task has 1 to %(most)s outputs."),
    OutputProblem.NOT_AN_OUTPUT: _("%(what)s: “%(unknown)s” is no setting of an output."),
    OutputProblem.TYPE: _("%(what)s: there is no type “%(type)s”."),
    OutputProblem.SETTING: _("%(what)s: “%(setting)s” is not valid for this type."),
    OutputProblem.SCHEMA: _("Not a strict schema: %(text)s"),
    OutputProblem.NO_FIELD: _("%(what)s: there is no such custom field."),
    OutputProblem.DELETED: _("%(what)s: the custom field “%(field)s” was deleted."),
    OutputProblem.TWICE: _("%(what)s: the custom field “%(field)s” is filled by “%(other)s” already."),
    OutputProblem.CANNOT_HOLD: _(
        "%(what)s: the custom field “%(field)s” (%(type)s) cannot hold the type “%(output)s”."
    ),
    OutputProblem.RANGE: _("%(what)s: the custom field “%(field)s” holds %(low)s to %(high)s."),
    OutputProblem.BOUNDS: _("%(what)s: the smallest value must be below the largest."),
    OutputProblem.CHOICES: _("%(what)s: the custom field “%(field)s” has no choice “%(choice)s”."),
    OutputProblem.LENGTH: _("%(what)s: the custom field “%(field)s” holds at most %(most)s characters."),
}


def template_text(error: TemplateError) -> str:
    """The sentence of a template's problem."""
    return str(TEMPLATES[error.problem]) % error.facts


def output_text(error: OutputError) -> str:
    """The sentence of an output's problem; types of fields by their names."""
    facts = dict(error.facts)
    if error.problem == OutputProblem.CANNOT_HOLD:
        facts["type"] = Type(facts["type"]).label
    return str(OUTPUTS[error.problem]) % facts
