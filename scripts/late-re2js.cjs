// Stands for re2js in the bundles: its code is loaded with the first regular expression that is compiled, which few boots have.
const library = () => require('./re2js.cjs');

module.exports = {
  get RE2JS() {
    return library().RE2JS;
  },
  get RE2JSException() {
    return library().RE2JSException;
  },
  get RE2JSSyntaxException() {
    return library().RE2JSSyntaxException;
  },
};
