// Stands for React's developer tools, which ink loads where DEV=true.
export default {};
