// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

addEventListener('rl-view-model', event => {
	const view = event.detail;
	// A script of filters that has been saved works from then on, unless another one does: then the page says so.
	if ('PopupsSieveScript' === view.viewModelTemplateID) {
		// Errors are said once it no longer saves.
		view.saving.subscribe(saving => saving || queueMicrotask(() => {
			const name = view.script().name(), active = window.Sieve.scripts().find(script => script.active());
			if (view.saveError() || active?.name() === name) {
				return;
			}
			if (active) {
				view.errorText(rl.i18n('SETTINGS_FILTERS/NOT_ACTIVE', {NAME: active.name()}));
			} else {
				window.Sieve.setActiveScript(name);
			}
		}));
	}
	// Nobody knows it as a passphrase. An English word of the plugin's would be one in all languages but its own.
	if ('Login' === view.viewModelTemplateID && 'en' === document.documentElement.lang) {
		view.viewModelDom.querySelector('[name=Password]').placeholder = 'Password';
	}
});
