"""Sphinx configuration: ``sphinx-build -W --keep-going docs docs/_build/html``."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util.nodes import make_refnode

import destructors

project = "destructors"
author = "The destructors developers"
copyright = "the destructors developers"
version = release = destructors.__version__

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "examples"]
templates_path = ["_templates"]
default_role = "py:obj"

# ---------------------------------------------------------------- API reference

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
# Every public docstring has a summary, and describes each parameter and result.
numpydoc_validation_checks = {
    "GL03",
    "GL06",
    "GL07",
    "GL08",
    "SS01",
    "SS03",
    "PR01",
    "PR02",
    "PR03",
    "PR07",
    "RT01",
    "YD01",
}

# Methods of a map, of rows and of a distribution are described once, in the base class
# or the class itself; the engine is for those who write stacks.
numpydoc_validation_exclude = {
    r"^destructors\.greedy\.",
    r"^destructors\.callbacks\.\w+\.\w+$",
    r"^destructors\.maps\.(?!Density\.|Map\.)\w+\.\w+$",
    r"\.(decode|digest|field_values|kinds_after|make_groups|sample_rows|save)$",
    r"^destructors\.(rows|base_distributions)\.\w+\.\w+$",
}

# ---------------------------------------------------------------- gallery

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": "destructors",
    "download_all_examples": False,
    "min_reported_time": 5,
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
}

# ---------------------------------------------------------------- HTML

html_theme = "pydata_sphinx_theme"
html_title = "destructors"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
# Formulas are in the page itself: browsers know MathML, and need no network for it.
html_math_renderer = "mathml"
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}
html_sidebars = {"index": [], "changelog": [], "contributing": []}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def link_by_class_name(app, env, node, contnode):
    """Link a class named without its module, as docstrings do, if there is one."""
    domain = env.get_domain("py")
    found = domain.find_obj(env, None, None, node.get("reftarget", ""), None, 1)
    found = [(name, entry) for name, entry in found if not entry.aliased]
    if len(found) != 1:
        return None
    [(name, entry)] = found
    source, target = node["refdoc"], entry.docname
    return make_refnode(app.builder, source, target, entry.node_id, contnode, name)


def visit_math(translator, node):
    """Write a formula in a line."""
    translator.body.append(convert(node.astext()))
    raise SkipNode


def visit_math_block(translator, node):
    """Write a formula of its own."""
    formula = convert(node.astext(), display="block")
    translator.body.append(f'<div class="formula">{formula}</div>\n')
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("missing-reference", link_by_class_name)
