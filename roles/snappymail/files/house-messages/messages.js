// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * The server cleans the HTML of messages. What the application makes of other texts in the browser, such as of a signed
 * message within its signature, is cleaned here, where it is about to be shown.
 */
(() => {
	const
		ELEMENTS = 'A,ABBR,ACRONYM,ADDRESS,ARTICLE,ASIDE,B,BDI,BDO,BIG,BLOCKQUOTE,BODY,BR,CAPTION,CENTER,CITE,CODE,COL,'
			+ 'COLGROUP,DD,DEL,DETAILS,DFN,DIR,DIV,DL,DT,EM,FIGCAPTION,FIGURE,FONT,FOOTER,H1,H2,H3,H4,H5,H6,HEADER,HGROUP,HR,I,'
			+ 'IMG,INS,KBD,LI,MAIN,MARK,NAV,NOBR,OL,P,PRE,Q,RB,RP,RT,RTC,RUBY,S,SAMP,SECTION,SMALL,SPAN,STRIKE,STRONG,SUB,'
			+ 'SUMMARY,SUP,TABLE,TBODY,TD,TFOOT,TH,THEAD,TIME,TR,TT,U,UL,VAR,WBR',
		elements = new Set(ELEMENTS.split(',')),
		attributes = /^(?:align|alt|bgcolor|border|cell(?:padding|spacing)|class|color|cols?|colspan|data-x-[a-z-]+|dir|face|frame|headers|height|href|hspace|lang|loading|open|reversed|rows?|rowspan|rules|scope|size|start|style|tabindex|target|title|valign|value|vspace|width)$/,
		loads = /(?:url|src|image|image-set|cross-fade|element|paint|attr)\s*\(/i,
		links = /^(?:https?|ftp|mailto|tel|sms|xmpp|geo|news):/i,

		// What the message brings along, and what somebody has answered for before.
		own = url => url.startsWith('data:image/') || url.startsWith(`${location.pathname}?/Raw/`)
			|| [...document.querySelectorAll('.bodyText img')].some(image => image.src === url),
		quoted = value => value.match(/^url\(["']?(.*?)["']?\)$/i)?.[1] || '',

		cleanStyle = style => [...style].forEach(property => {
			const value = style.getPropertyValue(property);
			if (loads.test(value) && !own(quoted(value)) || /^(?:position|z-index|content|cursor|animation|transition)/.test(property)) {
				style.removeProperty(property);
			}
		}),

		cleanElement = element => {
			for (const {name, value} of [...element.attributes]) {
				if (!('src' === name ? 'IMG' === element.tagName && own(value) : attributes.test(name))
					|| 'href' === name && !('A' === element.tagName && links.test(value))
				) {
					element.removeAttribute(name);
				}
			}
			cleanStyle(element.style);
		},

		{get, set} = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML'),

		/** Returns what this HTML says, for which nothing has been loaded yet. */
		clean = html => {
			const template = document.createElement('template');
			set.call(template, html);
			[...template.content.querySelectorAll('*')].forEach(element =>
				element instanceof HTMLElement && elements.has(element.tagName) ? cleanElement(element) : element.remove()
			);
			return template.content;
		};

	Object.defineProperty(Element.prototype, 'innerHTML', {
		configurable: true,
		enumerable: true,
		get,
		set(html) {
			if (this.id.startsWith('rl-msg-')) {
				this.replaceChildren(clean(`${html}`));
			} else {
				set.call(this, html);
			}
		}
	});
})();
